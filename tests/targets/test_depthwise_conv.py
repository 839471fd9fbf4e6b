"""`depthwise_conv` against onnxruntime: one and two dimensions, strides, dilations, odd sizes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

import edgemoe

CASES = [
    # extent, taps, strides, dilations, pads
    ((14, 14), (5, 5), (1, 1), (1, 1), (2, 2, 2, 2)),
    ((7, 33), (3, 4), (1, 1), (1, 2), (0, 1, 3, 2)),
    ((9, 5), (3, 3), (2, 2), (1, 1), (1, 1, 1, 1)),
    ((19, 70), (1, 9), (3, 2), (2, 1), (0, 4, 0, 4)),
    ((1, 8), (1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    ((12,), (12,), (1,), (1,), (11, 0)),
    ((97,), (33,), (1,), (1,), (32, 0)),
    ((31,), (3,), (2,), (4,), (5, 2)),
]


def convolution(batch, channels, extent, taps, strides, dilations, pads, bias):
    chance = np.random.default_rng(0)
    names = ["x", "w", "b"] if bias else ["x", "w"]
    node = helper.make_node(
        "Conv", names, ["y"], group=channels, strides=strides, dilations=dilations, pads=pads,
        kernel_shape=taps,
    )  # fmt: skip
    constants = [
        onnx.numpy_helper.from_array(chance.standard_normal(s).astype(np.float32), n)
        for n, s in (("w", (channels, 1, *taps)), ("b", (channels,)))[: len(names) - 1]
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [value("x", TensorProto.FLOAT, (batch, channels, *extent))],
        [value("y", TensorProto.FLOAT, None)], constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.parametrize("case", CASES, ids=lambda c: "x".join(map(str, (*c[0], *c[1]))))
@pytest.mark.parametrize(("batch", "channels", "bias"), [(2, 3, True), (1, 67, False)])
def test_agrees_with_onnxruntime(tmp_path, rms, case, batch, channels, bias):
    model = convolution(batch, channels, *case, bias)
    onnx.save(model, tmp_path / "m.onnx")
    artifact = edgemoe.compile(tmp_path / "m.onnx", out=tmp_path / "m.em", cpu="native")
    steps = json.loads((tmp_path / "m.em/plan.json").read_text())["variants"][0]["steps"]
    assert [s["kernel"] for s in steps] == ["depthwise_conv_0"]
    x = np.random.default_rng(1).standard_normal((batch, channels, *case[0])).astype(np.float32)
    (wanted,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    one = artifact.load(threads=1).run({"x": x})["y"]
    assert rms(one, wanted) < 1e-6
    np.testing.assert_array_equal(one, artifact.load(threads=2).run({"x": x})["y"])
