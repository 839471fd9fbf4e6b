"""Write operators on element types that the code generator lacks as operators on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each

_LARGEST_POWER = 8


@graph_pass(phase="fuse", exact="reassociation")
def fit_types(model: ir.Model, context: PassContext) -> int:
    """Compute Pow of integers, comparisons and extrema of truth values in types that work.

    Given:  y = Equal(a: bool[4], b: bool[4]); z = Pow(x: f32[4], *2: int64)
    Result: y = Not(Xor(a, b)); z = Pow(x, *2: f32)
    """
    del context
    return rewrite_each(model, _RULES, lambda emit, node: _RULES[node.op_type](emit, node))


def _equal(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    first, second = node.inputs
    if first is None or first.dtype != ir.DataType.BOOL:
        return None
    return [emit.op("Not", emit.op("Xor", first, second))]


def _extremum(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x = node.inputs[0]
    if x is None or x.dtype != ir.DataType.BOOL:
        return None
    attributes = {name: a.value for name, a in node.attributes.items()}
    numbers = emit.cast(x, ir.DataType.INT32)
    made = emit.node(node.op_type, [numbers, *node.inputs[1:]], attributes)
    return [emit.cast(made.outputs[0], ir.DataType.BOOL)]


def _pow(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x, exponent = node.inputs
    if x is None or exponent is None or x.dtype is None or exponent.dtype is None:
        return None
    if not x.dtype.is_integer():
        if x.dtype == exponent.dtype:
            return None
        return [emit.op("Pow", x, emit.cast(exponent, x.dtype))]
    count = graph_facts.scalar_of(exponent)
    if count is not None and count in range(1, _LARGEST_POWER + 1):
        result = x
        for _ in range(int(count) - 1):
            result = emit.op("Mul", result, x)
        return [emit.op("Identity", result) if result is x else result]
    double = ir.DataType.DOUBLE
    result = emit.op("Pow", emit.cast(x, double), emit.cast(exponent, double))
    return [emit.cast(emit.op("Round", result), x.dtype)]


def _eye(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    shape, dtype = graph_facts.shape_of(node.outputs[0]), node.outputs[0].dtype
    if shape is None or dtype is None:
        return None
    rows, columns = shape
    matrix = np.eye(rows, columns, k=graph_facts.attribute(node, "k", 0), dtype=dtype.numpy())
    return [emit.constant(matrix, "eye")]


_RULES: dict[str, Callable[[Emitter, ir.Node], Sequence[ir.Value] | None]] = {
    "Equal": _equal,
    "ReduceMax": _extremum,
    "ReduceMin": _extremum,
    "Pow": _pow,
    "EyeLike": _eye,
}
