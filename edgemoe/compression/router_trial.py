"""Run two routers on the same random logits and compare what they choose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.pass_check import onnxruntime_session

TRIALS = 8
TOLERANCE = 1e-5  # relative, of float32 sums in another order


def same_choice(
    model: ir.Model,
    whole: ir.Node,
    cut: ir.Node,
    mask: np.ndarray,
    bias: ir.Value | None,
    kept: Sequence[int],
) -> bool:
    """Tell whether a router over fewer columns gives what the masked one gives, renumbered.

    Args:
        model: holds the functions of both.
        whole: call of the router over all columns.
        cut: call of the router over the columns `kept`; outputs in the same order.
        mask: what masks pruned experts, [C].
        bias: the input of `whole` that is added for the choice, which is masked as well.
        kept: numbers of the columns.
    """
    shape = graph_facts.shape_of(whole.inputs[0])
    assert shape is not None
    first, second = _constants(whole), _constants(cut)
    for place, value in enumerate(whole.inputs[1:]):
        if value is bias and bias is not None:
            first[place] = first[place] + mask.reshape(first[place].shape)
    table = np.full(shape[-1], -1, np.int64)
    table[list(kept)] = np.arange(len(kept))
    one = _open(model, whole)
    try:
        other = _open(model, cut)
    except Exception:  # onnxruntime raises types of its own: a shape inside is that of all columns
        return False
    chance = np.random.default_rng(0)
    for number in range(TRIALS):
        logits = (chance.standard_normal(shape) * (1 + number)).astype(mask.dtype)
        wanted = _run(one, [logits + mask, *first])
        try:
            got = _run(other, [logits[..., list(kept)], *second])
        except Exception:  # as above
            return False
        if not all(_same(a, b, table, kept) for a, b in zip(wanted, got, strict=True)):
            return False
    return True


def _same(wanted: np.ndarray, got: np.ndarray, table: np.ndarray, kept: Sequence[int]) -> bool:
    if wanted.dtype.kind in "iu":
        return wanted.shape == got.shape and np.array_equal(table[wanted], got)
    if wanted.shape != got.shape:  # scores [T, E]
        wanted = wanted[..., list(kept)]
    limit = TOLERANCE * max(float(np.abs(wanted).max(initial=0.0)), 1e-30)
    return wanted.shape == got.shape and bool(np.abs(wanted - got).max(initial=0.0) <= limit)


def _constants(call: ir.Node) -> list[np.ndarray]:
    arrays = [graph_facts.array_of(value) for value in call.inputs[1:]]
    found = [array for array in arrays if array is not None]
    assert len(found) == len(arrays), f"{call.name} reads more than logits and constants"
    return found


def _open(model: ir.Model, call: ir.Node) -> object:
    """Open a model that is one call."""
    inputs = [
        ir.Value(name=f"in_{i}", shape=v.shape, type=v.type)
        for i, v in enumerate(call.inputs) if v is not None
    ]  # fmt: skip
    outputs = [
        ir.Value(name=f"out_{i}", shape=v.shape, type=v.type) for i, v in enumerate(call.outputs)
    ]
    node = ir.Node(call.domain, call.op_type, inputs, outputs=outputs)
    graph = ir.Graph(inputs, outputs, nodes=[node], opset_imports=dict(model.graph.opset_imports))
    small = ir.Model(graph, ir_version=model.ir_version)
    function = model.functions[call.op_identifier()]
    small.functions[function.identifier()] = function
    return onnxruntime_session(small)


def _run(session: object, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    feed = {f"in_{i}": array for i, array in enumerate(arrays)}
    made = session.run(None, feed)  # type: ignore[attr-defined]
    return [np.asarray(array) for array in made]
