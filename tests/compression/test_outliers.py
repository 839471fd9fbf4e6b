"""Massive features kept apart: the same numbers in float32, a fraction of the error in int8."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import edgemoe
from edgemoe import shapes
from edgemoe.compression.outliers import NotSplit, massive_features, split_outliers
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes

DEPTH, COLUMNS, MASSIVE = 96, 40, (3, 50, 95)

PLAIN = "y = MatMul(x, W)"
BIASED = "y = Gemm<transB = 1>(x, W, b)"
FUSED = "h = MatMul(x, W) a = Add(h, b) y = Relu(a)"
TWICE = "h = MatMul(x, W) g = Tanh(x) a = MatMul(g, W) y = Mul(h, a)"


def model(body, shape=(7, DEPTH), columns=COLUMNS):
    """A model of `body` over x, W and b, with W as the body wants it."""
    wanted = [columns, DEPTH] if "transB" in body else [DEPTH, columns]
    text = (
        f'<ir_version: 10, opset_import: ["" : 21]>\n'
        f"g (float{list(shape)} x, float{wanted} W, float[{columns}] b) => "
        f"(float{[*shape[:-1], columns]} y) {{ {body} }}"
    )
    made = ir.from_onnx_text(text)
    chance = np.random.default_rng(0)
    for value in made.graph.inputs[1:]:
        array = (chance.standard_normal(tuple(value.shape)) / 10).astype(np.float32)
        value.const_value = ir.tensor(array, name=value.name)
        made.graph.register_initializer(value)
    del made.graph.inputs[1:]
    shapes.infer(made)
    return made


def rms(got, wanted):
    """Relative RMS error."""
    return np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2))


def rows(shape=(7, DEPTH), seed=1):
    """Normal, but for three features that are 60 times as large."""
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    x[..., list(MASSIVE)] *= 60
    return x


def outputs(graph, x):
    return run_in_onnxruntime(graph, {"x": x})[0]


@pytest.mark.parametrize(("body", "shape"), [
    (PLAIN, (7, DEPTH)), (PLAIN, (2, 3, DEPTH)), (PLAIN, (DEPTH,)), (BIASED, (7, DEPTH)),
    (FUSED, (7, DEPTH)), (FUSED, (2, 3, DEPTH)), (TWICE, (7, DEPTH)), (TWICE, (1, 1, DEPTH)),
])  # fmt: skip
@pytest.mark.parametrize("later", [False, True], ids=["split", "fused"])
def test_nothing_changes_in_float32(body, shape, later):
    graph, x = model(body, shape), rows(shape)
    wanted = outputs(graph, x)
    name = split_outliers(graph, "W", MASSIVE)
    assert name == "W.outliers"
    assert graph.graph.initializers[name].shape == (3, COLUMNS)
    if later:
        run_passes(graph)
    assert rms(outputs(graph, x), wanted) < 1e-6


@pytest.mark.parametrize("body", [PLAIN, BIASED])
def test_what_is_left_has_no_outliers(body):
    graph = model(body)
    before = graph.graph.initializers["W"].const_value.numpy()
    split_outliers(graph, "W", MASSIVE)
    after = graph.graph.initializers["W"].const_value.numpy()
    small = graph.graph.initializers["W.outliers"].const_value.numpy()
    if "transB" in body:
        before, after = before.T, after.T
    kept = np.delete(np.arange(DEPTH), MASSIVE)
    np.testing.assert_array_equal(after[kept], before[kept])
    assert (after[list(MASSIVE)] == 0).all()
    np.testing.assert_array_equal(small, before[list(MASSIVE)])


def test_int8_loses_a_fraction(tmp_path):
    """The program with real kernels: 60 times as large a row means 60 times as large steps."""
    errors = {}
    x = rows()
    for apart in (False, True):
        graph = model(FUSED)
        wanted = outputs(graph, x)
        precision = "i8"
        if apart:
            precision += f",{split_outliers(graph, 'W', MASSIVE)}=f32"
        edgemoe.compile(graph, out=tmp_path / str(apart), precision=precision, name="m",
                        cpu="native")  # fmt: skip
        with edgemoe.load(tmp_path / str(apart)) as session:
            errors[apart] = rms(session.run({"x": x})["y"], wanted)
    assert errors[True] < 0.1 * errors[False]
    assert errors[False] > 5e-3


@pytest.mark.parametrize(("body", "reason"), [
    ("h = MatMul(x, W) t = Transpose<perm = [1, 0]>(W) u = MatMul(h, t) y = MatMul(u, W)",
     "no plain product"),
    ("y = Gemm<alpha = 2.0>(x, W, b)", "scales its product"),
])  # fmt: skip
def test_what_cannot_be_split(body, reason):
    graph = model(body)
    before = [node.op_type for node in graph.graph]
    with pytest.raises(NotSplit, match=reason):
        split_outliers(graph, "W", MASSIVE)
    assert [node.op_type for node in graph.graph] == before


def test_there_has_to_be_a_weight():
    with pytest.raises(NotSplit, match="no weight 'V'"):
        split_outliers(model(PLAIN), "V", MASSIVE)


@pytest.mark.parametrize("features", [(), (3, 3), (-1,), (DEPTH,), tuple(range(DEPTH))])
def test_features_that_do_not_fit(features):
    with pytest.raises(ValueError, match="features"):
        split_outliers(model(PLAIN), "W", features)


def test_massive_features_are_far_above_the_median():
    largest = np.abs(rows((500, DEPTH))).max(0)
    assert massive_features(largest) == list(MASSIVE)
    assert massive_features(largest, share=2 / DEPTH) != list(MASSIVE)
    assert len(massive_features(largest, share=2 / DEPTH)) == 2
    assert massive_features(np.delete(largest, MASSIVE)) == []
    assert massive_features(np.zeros(DEPTH)) == []
