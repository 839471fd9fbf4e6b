"""Regions that run block by block: same numbers as onnxruntime, same bits for any batch."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import edgemoe

TEXT = """<ir_version: 10, opset_import: ["" : 20]>
g (float[{batch},{tokens},48] x) => (float[{batch},{tokens},48] y, float[{batch},{tokens},64] h) {{
    n = LayerNormalization<axis = -1>(x, scale, shift)
    m = MatMul(W, n)
    b = Add(m, wb)
    s = Softmax<axis = -2>(b)
    g = Mul(x, s)
    r = Add(g, x)
    p = MatMul(r, V)
    h = Relu(p)
    u = MatMul(h, U)
    t = Tanh(u)
    y = Add(t, r)
}}"""


def mixer(batch, tokens):
    proto = onnx.parser.parse_model(TEXT.format(batch=batch, tokens=tokens))
    chance = np.random.default_rng(0)
    shapes = {"scale": (48,), "shift": (48,), "W": (tokens, tokens), "wb": (tokens, 1),
              "V": (48, 64), "U": (64, 48)}  # fmt: skip
    for name, shape in shapes.items():
        array = (chance.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return proto


def compiled(tmp_path, batch, tokens):
    proto = mixer(batch, tokens)
    path = tmp_path / f"m{batch}.onnx"
    onnx.save(proto, path)
    artifact = edgemoe.compile(path, out=tmp_path / f"m{batch}.em", check=True)
    return proto, artifact


@pytest.mark.parametrize("batch", [4, 37])
def test_blocks_give_what_onnxruntime_gives(tmp_path, rms, batch):
    proto, artifact = compiled(tmp_path, batch, 17)
    steps = json.loads((tmp_path / f"m{batch}.em/plan.json").read_text())["variants"][0]["steps"]
    assert [s["kernel"] for s in steps] == ["blocks_0"]
    assert steps[0]["tasks"] == min(batch, 32)
    x = np.random.default_rng(1).standard_normal((batch, 17, 48)).astype(np.float32)
    wanted = ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    for threads in (1, 2, 3):
        got = artifact.load(threads=threads).run({"x": x})
        for name, array in zip(("y", "h"), wanted, strict=True):
            assert rms(got[name], array) < 1e-5


def test_bits_of_a_sample_depend_neither_on_the_batch_nor_on_threads(tmp_path):
    x = np.random.default_rng(1).standard_normal((37, 17, 48)).astype(np.float32)
    _, many = compiled(tmp_path, 37, 17)
    _, few = compiled(tmp_path, 1, 17)  # too few for blocks: step by step
    whole = many.load(threads=2).run({"x": x})["y"]
    again = many.load(threads=1).run({"x": x})["y"]
    np.testing.assert_array_equal(whole, again)
    for sample in (0, 20, 36):
        one = few.load(threads=1).run({"x": x[sample : sample + 1].copy()})["y"]
        np.testing.assert_array_equal(one[0], whole[sample])
