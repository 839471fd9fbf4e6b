"""Prove that scores can be exactly zero, which is what makes it right to skip an expert."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts

_KEEPS_ZERO = frozenset(
    [
        "Reshape",
        "Unsqueeze",
        "Squeeze",
        "Flatten",
        "Identity",
        "Transpose",
        "Expand",
        "Tile",
        "Slice",
        "Gather",
        "Split",
        "Abs",
        "Neg",
        "Sqrt",
        "Tanh",
        "Sign",
        "Relu",
    ]
)

_REPEATS = ("Expand", "Tile", *graph_facts.RESHAPES)


def can_be_zero(value: ir.Value | None, depth: int = 24) -> str | None:
    """Say what makes exact zeros in `value` ("Relu", "Where", ...), None when nothing does."""
    node = value.producer() if value is not None else None
    if node is None or value is None or depth == 0:
        return None
    if graph_facts.is_op(node, "ScatterElements", "ScatterND"):
        return node.op_type if is_zero(node.inputs[0]) else None
    if graph_facts.is_op(node, "Relu", "OneHot"):
        return node.op_type
    if graph_facts.is_op(node, "Where"):
        return "Where" if any(is_zero(v) for v in node.inputs[1:]) else None
    if graph_facts.is_op(node, "Concat", "Add"):
        left = [v for v in node.inputs if not is_zero(v)]
        found = [can_be_zero(v, depth - 1) for v in left] or ["zeros"]
        return found[0] if all(found) else None
    if graph_facts.is_op(node, "Cast"):
        source = node.inputs[0]
        boolean = source is not None and source.dtype == ir.DataType.BOOL
        return "mask" if boolean else can_be_zero(source, depth - 1)
    if graph_facts.is_op(node, "Mul"):
        return can_be_zero(node.inputs[0], depth - 1) or can_be_zero(node.inputs[1], depth - 1)
    if graph_facts.is_op(node, "Clip", "Max"):
        low = node.inputs[1] if len(node.inputs) > 1 else None
        return node.op_type if graph_facts.scalar_of(low) == 0 else None
    if graph_facts.is_op(node, "RMSNormalization", "Div", "ReduceSum", "Pow", *_KEEPS_ZERO):
        return can_be_zero(node.inputs[0], depth - 1)
    return None


def is_zero(value: ir.Value | None) -> bool:
    """Tell whether every element of `value` is provably zero."""
    node = value.producer() if value is not None else None
    if node is not None and graph_facts.is_op(node, "Mul"):  # of finite numbers
        return any(is_zero(factor) for factor in node.inputs)
    if node is not None and graph_facts.is_op(node, "Cast", "CastLike", *_REPEATS):
        return is_zero(node.inputs[0])
    return largest(value) == 0 and smallest(value) == 0


def largest(value: ir.Value | None) -> float | None:
    """Return the largest element of a constant, None of anything else."""
    array = _elements(value)
    return None if array is None else float(array.max())


def smallest(value: ir.Value | None) -> float | None:
    """Return the smallest element of a constant, None of anything else."""
    array = _elements(value)
    return None if array is None else float(array.min())


def _elements(value: ir.Value | None) -> np.ndarray | None:
    """Return the numbers that are repeated in `value`, if it is constant."""
    node = value.producer() if value is not None else None
    if value is None:
        return None
    array: np.ndarray | None = None
    if graph_facts.is_constant(value):
        array = graph_facts.array_of(value)
    elif node is not None and graph_facts.is_op(node, *_REPEATS):
        return _elements(node.inputs[0])
    elif node is not None and graph_facts.is_op(node, "ConstantOfShape"):
        fill = node.attributes.get("value")
        array = np.zeros(1) if fill is None else fill.as_tensor().numpy()
    return array if array is not None and array.size and array.dtype.kind in "fiub" else None
