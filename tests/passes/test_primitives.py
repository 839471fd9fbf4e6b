"""Every primitive's ONNX body against the sentence that defines it, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import regions
from edgemoe.emit import Emitter
from edgemoe.row_source import repeated_rows
from edgemoe.zero_scores import can_be_zero, is_zero

RANDOM = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def call(tools: Any, arrays: dict[str, np.ndarray], build: Callable[..., ir.Value]) -> np.ndarray:
    """Run one primitive in onnxruntime; `build(emit, **values)` emits it."""
    inputs = [
        ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        )
        for name, array in arrays.items()
    ]
    end = ir.node("Identity", [inputs[0]])
    graph = ir.Graph(inputs, [end.outputs[0]], nodes=[end], opset_imports={"": 23}, name="g")
    value = build(Emitter(end), **dict(zip(arrays, inputs, strict=True)))
    graph.outputs[0] = value
    graph.remove(end)
    model = ir.Model(graph, ir_version=10)
    regions.add_bodies(model)
    (result,) = tools.run(model, arrays)
    assert tuple(result.shape) == tuple(value.shape or ())
    return result


def test_dispatch_repeats_tokens_in_order(tools: Any) -> None:
    x, ids = f32(3, 4), np.zeros((3, 2), np.int64)
    y = call(tools, {"x": x, "ids": ids}, lambda e, x, ids: regions.dispatch(e, x, ids))
    assert np.array_equal(y, np.repeat(x, 2, axis=0))


def test_combine_weighs_and_sums_choices(tools: Any) -> None:
    y, w = f32(6, 4), f32(3, 2)
    got = call(tools, {"y": y, "w": w}, lambda e, y, w: regions.combine(e, y, w))
    np.testing.assert_allclose(got, (y.reshape(3, 2, 4) * w[..., None]).sum(1), rtol=1e-6)


@pytest.mark.parametrize("gather", [True, False])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_expert_linear(
    tools: Any, monkeypatch: pytest.MonkeyPatch, gather: bool, transposed: bool, biased: bool
) -> None:
    monkeypatch.setattr(regions, "GATHER_BYTES", 1 << 30 if gather else 0)
    experts, inner, out = 5, 4, 3
    ids = np.array([4, 0, 0, 2, 1, 2, 4], np.int64)
    x, weight, bias = f32(7, inner), f32(experts, out, inner), f32(experts, out)
    stored = np.ascontiguousarray(weight.transpose(0, 2, 1)) if transposed else weight
    arrays = {"x": x, "ids": ids, "weight": stored, **({"bias": bias} if biased else {})}

    def build(emit: Emitter, **values: ir.Value) -> ir.Value:
        return regions.expert_linear(emit, *values.values(), transposed=transposed)

    expected = np.stack([weight[e] @ row for e, row in zip(ids, x, strict=True)])
    expected = expected + bias[ids] if biased else expected
    np.testing.assert_allclose(call(tools, arrays, build), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("biased", [False, True])
def test_blocks(tools: Any, biased: bool) -> None:
    tokens, experts, width, hidden = 3, 4, 2, 5
    x, up, b1 = f32(tokens, hidden), f32(experts, width, hidden), f32(experts, width)
    arrays = {"x": x, "up": up, **({"b": b1} if biased else {})}
    h = call(tools, arrays, lambda e, x, up, b=None: regions.block_up(e, x, up, b))
    wanted = np.einsum("th,edh->ted", x, up) + (b1 if biased else 0)
    np.testing.assert_allclose(h, wanted, rtol=1e-5, atol=1e-6)
    scores, down, b2 = f32(tokens, experts), f32(experts, hidden, width), f32(experts, hidden)
    scores[:, 1] = 0
    arrays = {"h": h, "s": scores, "down": down, **({"b": b2} if biased else {})}
    y = call(tools, arrays, lambda e, h, s, down, b=None: regions.block_down(e, h, s, down, b))
    each = np.einsum("ehd,ted->teh", down, h) + (b2 if biased else 0)
    np.testing.assert_allclose(y, np.einsum("te,teh->th", scores, each), rtol=1e-4, atol=1e-5)


MOVES = {
    "repeat": ("t = Unsqueeze (x, one) e = Expand (t, wide) y = Reshape (e, rows)", "x"),
    "tile": ("t = Reshape (x, apart) e = Tile (t, twice) y = Reshape (e, rows)", "x"),
    "one after the other": ("e = Concat <axis = 0> (x, x) y = Reshape (e, rows)", None),
    "turned": (  # the rows are those of the turned matrix, read as [3, 4]
        "t = Transpose <perm = [1, 0]> (x) s = Reshape (t, apart) e = Expand (s, wide) "
        "y = Reshape (e, rows)",
        "t",
    ),
    "computed": (
        "r = Relu (x) t = Unsqueeze (r, one) e = Expand (t, wide) y = Reshape (e, rows)",
        "r",
    ),
}


@pytest.mark.parametrize("case", MOVES)
def test_repeated_rows_are_proven(tools: Any, case: str) -> None:
    lines, expected = MOVES[case]
    model = tools.text(
        f"""
<ir_version: 10, opset_import: ["" : 21]>
g (float[3,4] x) => (float[6,4] y) {{
  one = Constant <value_ints = [1]> ()
  {lines}
}}""".replace(
            "one = Const",
            """wide = Constant <value_ints = [3, 2, 4]> ()
  rows = Constant <value_ints = [6, 4]> ()
  apart = Constant <value_ints = [3, 1, 4]> ()
  twice = Constant <value_ints = [1, 2, 1]> ()
  one = Const""",
        )
    )
    from edgemoe.pass_runner import run_passes

    run_passes(model, phases=("import",), stop_after="tidy")
    run_passes(model, phases=("canonicalise",), stop_after="lift_constants")
    source = repeated_rows(model.graph.outputs[0], 3, 2)
    assert (None if source is None else source.name) == expected


def test_zeros_are_proven() -> None:
    relu = ir.node("Relu", [ir.Value(name="x")])
    scaled = ir.node("Mul", [relu.outputs[0], ir.Value(name="g")])
    soft = ir.node("Softmax", [relu.outputs[0]])
    assert can_be_zero(scaled.outputs[0]) == "Relu"
    assert can_be_zero(soft.outputs[0]) is None
    assert is_zero(ir.Value(name="z", const_value=ir.tensor(np.zeros(3, np.float32))))
    assert not is_zero(ir.Value(name="o", const_value=ir.tensor(np.array([0, 1], np.float32))))
