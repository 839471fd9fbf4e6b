"""Run an integer graph on several samples at once, with the same bits: a leading axis of samples.

Most operators do not mind another axis in front. Those that do, and all that are not known here,
run sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.integer.evaluate import Program
from edgemoe.integer.operator_table import DOMAIN, evaluate

Array = NDArray[Any]
Values = list[Array | None]

LAST_AXIS = (
    "Linear", "Table", "Curve", "ChangeScale", "Norm", "Softmax", "Shares", "TopK",
    "ActiveIds",
)  # fmt: skip
"""Operators whose first input alone comes from samples, and which look at the last axis at most."""


def run_many(program: Program, feeds: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """Outputs of each sample; equal to `program.run`, sample by sample."""
    count = len(feeds)
    many = {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}
    one: dict[str, Array] = dict(program.constants)
    for (step, names, outputs), frees, node in zip(
        program.steps, program.frees, program.model.graph, strict=True
    ):
        batched = [name is not None and name in many for name in names]
        inputs = [
            None if name is None else many[name] if name in many else one[name] for name in names
        ]
        if not any(batched):
            one.update(zip(outputs, step(inputs), strict=True))
        else:
            made = _together(node, inputs, batched, count)
            if made is None:
                each = [
                    step([a[n] if b and a is not None else a
                          for a, b in zip(inputs, batched, strict=True)])
                    for n in range(count)
                ]  # fmt: skip
                made = [np.stack(parts) for parts in zip(*each, strict=True)]
            many.update(zip(outputs, made, strict=True))
        for name in frees:
            many.pop(name, None)
    given = [str(v.name) for v in program.model.graph.outputs]
    return [
        {name: many[name][n] if name in many else one[name] for name in given} for n in range(count)
    ]


def _together(
    node: ir.Node, inputs: Values, batched: list[bool], count: int
) -> Sequence[Array] | None:
    if node.domain != DOMAIN:
        return _moved(node, inputs, batched, count)
    attributes = {name: int(a.as_int()) for name, a in node.attributes.items()}
    known = _OWN.get(node.op_type)
    if known is not None:
        return known(node, inputs, batched, attributes, count)
    if node.op_type in LAST_AXIS and batched[0] and not any(batched[1:]):
        return evaluate(node.op_type, inputs, attributes)
    return None


def _moved(
    node: ir.Node, inputs: Values, batched: list[bool], count: int
) -> Sequence[Array] | None:
    x = inputs[0]
    if x is None or not batched[0] or any(batched[1:]):
        return None
    if graph_facts.is_op(node, "Reshape", "Squeeze", "Unsqueeze", "Identity"):
        shape = graph_facts.shape_of(node.outputs[0])
        return None if shape is None else [x.reshape(count, *shape)]
    if graph_facts.is_op(node, "Transpose"):
        perm = [int(axis) + 1 for axis in node.attributes["perm"].as_ints()]
        return [np.ascontiguousarray(x.transpose(0, *perm))]
    return None


def _elementwise(
    node: ir.Node, inputs: Values, batched: list[bool], attributes: dict[str, int], count: int
) -> Sequence[Array] | None:
    """Operands of fewer axes get theirs behind the samples'."""
    del count
    rank = len(graph_facts.shape_of(node.outputs[0]) or ())
    ready = list(inputs)
    for place in (0, 1):
        array = inputs[place]
        assert array is not None
        if batched[place]:
            missing = rank - (array.ndim - 1)
            ready[place] = array.reshape(array.shape[0], *(1,) * missing, *array.shape[1:])
    return evaluate(node.op_type, ready, attributes)


def _mean(
    node: ir.Node, inputs: Values, batched: list[bool], attributes: dict[str, int], count: int
) -> Sequence[Array] | None:
    del count, batched
    return evaluate(node.op_type, inputs, {**attributes, "axis": attributes["axis"] + 1})


def _mat_mul(
    node: ir.Node, inputs: Values, batched: list[bool], attributes: dict[str, int], count: int
) -> Sequence[Array] | None:
    del count
    if not (batched[0] and batched[1]):
        return None
    return evaluate(node.op_type, inputs, attributes)


def _expert_linear(
    node: ir.Node, inputs: Values, batched: list[bool], attributes: dict[str, int], count: int
) -> Sequence[Array] | None:
    x, ids, *rest = inputs
    assert x is not None and ids is not None
    if not batched[0]:
        return None
    flat = ids.reshape(-1) if batched[1] else np.tile(ids.reshape(-1), count)
    (made,) = evaluate(node.op_type, [x.reshape(-1, x.shape[-1]), flat, *rest], attributes)
    return [made.reshape(count, -1, made.shape[-1])]


def _combine(
    node: ir.Node, inputs: Values, batched: list[bool], attributes: dict[str, int], count: int
) -> Sequence[Array] | None:
    z, weights, *rest = inputs
    assert z is not None and weights is not None
    if not (batched[0] and batched[1]):
        return None
    rows = [z.reshape(-1, z.shape[-1]), weights.reshape(-1, weights.shape[-1]), *rest]
    (made,) = evaluate(node.op_type, rows, attributes)
    return [made.reshape(count, -1, made.shape[-1])]


def _weigh_rows(
    node: ir.Node, inputs: Values, batched: list[bool], attributes: dict[str, int], count: int
) -> Sequence[Array] | None:
    del count
    return evaluate(node.op_type, inputs, attributes) if all(batched) else None


def _expert_sum(
    node: ir.Node, inputs: Values, batched: list[bool], attributes: dict[str, int], count: int
) -> Sequence[Array] | None:
    x, ids, weights, *rest = inputs
    assert x is not None and ids is not None and weights is not None
    if not (batched[0] and batched[2]):
        return None
    flat = ids.reshape(-1) if batched[1] else np.tile(ids.reshape(-1), count)
    rows = [x.reshape(-1, x.shape[-1]), flat, weights, *rest]
    (made,) = evaluate(node.op_type, rows, attributes)
    return [made.reshape(count, -1, made.shape[-1])]


_OWN: dict[str, Callable[..., Sequence[Array] | None]] = {
    "Add": _elementwise, "Mul": _elementwise, "Mean": _mean, "MatMul": _mat_mul,
    "ExpertLinear": _expert_linear, "Combine": _combine, "WeighRows": _weigh_rows,
    "ExpertSum": _expert_sum,
}  # fmt: skip
