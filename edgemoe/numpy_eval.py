"""Evaluate single operators with NumPy where the result is sure to be bit for bit onnxruntime's.

Most questions of the passes are about data movement and integer arithmetic: one onnxruntime session
for each costs more than the whole pass. What is not listed here returns None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts

Array = np.ndarray[Any, Any]
Inputs = Sequence[Array | None]
Rule = Callable[[ir.Node, list[Array]], list[Array] | None]

_RULES: dict[str, Rule] = {}


def compute(node: ir.Node, inputs: Inputs) -> list[Array] | None:
    """Return the outputs of a node, None where this module does not know them for sure.

    Args:
        node: a node of the standard domain, opset 13 or later.
        inputs: the arrays of its inputs; None for one that is left out.
    """
    rule = _RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    while inputs and inputs[-1] is None:
        inputs = inputs[:-1]
    arrays = [array for array in inputs if array is not None]
    if rule is None or len(arrays) != len(inputs):
        return None
    try:
        return rule(node, arrays)
    except (IndexError, ValueError, TypeError, OverflowError):  # let onnxruntime say what is wrong
        return None


def _rule(*op_types: str) -> Callable[[Rule], Rule]:
    def declare(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(op_types, rule))
        return rule

    return declare


def _integral(*arrays: Array) -> bool:
    return all(array.dtype.kind in "iub" for array in arrays)


@_rule("Identity")
def _identity(node: ir.Node, inputs: list[Array]) -> list[Array]:
    return inputs[:1]


@_rule("Constant")
def _constant(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    (name, attribute), *_ = node.attributes.items()
    if name == "value":
        tensor = attribute.as_tensor()
        return None if tensor.dtype == ir.DataType.STRING else [tensor.numpy()]
    return [np.array(attribute.value, np.int64)] if name in ("value_int", "value_ints") else None


@_rule("Reshape")
def _reshape(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    data, shape = inputs
    if graph_facts.attribute(node, "allowzero", 0):
        return None
    extents = [data.shape[i] if n == 0 else int(n) for i, n in enumerate(shape.tolist())]
    return [data.reshape(extents)]


@_rule("Flatten")
def _flatten(node: ir.Node, inputs: list[Array]) -> list[Array]:
    axis = graph_facts.axis_of(node, 1, inputs[0].ndim)
    rows = int(np.prod(inputs[0].shape[:axis], dtype=np.int64))
    return [inputs[0].reshape(rows, inputs[0].size // rows if rows else 0)]


@_rule("Squeeze")
def _squeeze(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if node.attributes:
        return None
    axes = tuple(inputs[1].reshape(-1).tolist()) if len(inputs) > 1 else None
    return [np.squeeze(inputs[0], axis=axes)]


@_rule("Unsqueeze")
def _unsqueeze(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if node.attributes:
        return None
    return [np.expand_dims(inputs[0], tuple(inputs[1].reshape(-1).tolist()))]


@_rule("Transpose")
def _transpose(node: ir.Node, inputs: list[Array]) -> list[Array]:
    perm = node.attributes.get("perm")
    order = None if perm is None else [int(axis) for axis in perm.as_ints()]
    return [np.ascontiguousarray(np.transpose(inputs[0], order))]


@_rule("Expand")
def _expand(node: ir.Node, inputs: list[Array]) -> list[Array]:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(inputs[1].tolist()))
    return [np.ascontiguousarray(np.broadcast_to(inputs[0], shape)).reshape(shape)]


@_rule("Tile")
def _tile(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    return [np.tile(inputs[0], inputs[1].tolist())] if inputs[0].ndim == inputs[1].size else None


@_rule("Concat")
def _concat(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if len({array.dtype for array in inputs}) != 1:
        return None
    return [np.concatenate(inputs, axis=graph_facts.attribute(node, "axis", 0))]


@_rule("Slice")
def _slice(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if node.attributes:
        return None
    data, starts, ends, *rest = inputs
    axes = rest[0].tolist() if rest else range(starts.size)
    steps = rest[1].tolist() if len(rest) > 1 else [1] * starts.size
    index = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts.tolist(), ends.tolist(), steps, strict=True):
        if step <= 0:
            return None
        index[axis] = slice(start, end, step)
    return [data[tuple(index)]]


@_rule("Split")
def _split(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if len(inputs) != 2:
        return None
    axis, sizes = graph_facts.attribute(node, "axis", 0), inputs[1].tolist()
    if len(sizes) != len(node.outputs) or sum(sizes) != inputs[0].shape[axis]:
        return None
    return list(np.split(inputs[0], np.cumsum(sizes)[:-1], axis=axis))


@_rule("Gather")
def _gather(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    data, index = inputs
    if not _integral(index):
        return None
    taken = np.take(data, index, axis=graph_facts.attribute(node, "axis", 0))
    return [np.asarray(taken)]


@_rule("GatherND")
def _gather_nd(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if graph_facts.attribute(node, "batch_dims", 0):
        return None
    return [np.asarray(inputs[0][tuple(np.moveaxis(inputs[1], -1, 0))])]


@_rule("Cast")
def _cast(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    to = ir.DataType(graph_facts.attribute(node, "to", 0))
    if not _integral(inputs[0]) or not (to.is_integer() or to == ir.DataType.BOOL):
        return None
    return [inputs[0].astype(to.numpy())] if to.bitwidth >= 8 else None


@_rule("Shape")
def _shape(node: ir.Node, inputs: list[Array]) -> list[Array]:
    start = graph_facts.attribute(node, "start", 0)
    end = graph_facts.attribute(node, "end", inputs[0].ndim)
    return [np.array(inputs[0].shape[start:end], np.int64)]


@_rule("Size")
def _size(node: ir.Node, inputs: list[Array]) -> list[Array]:
    return [np.array(inputs[0].size, np.int64)]


@_rule("Range")
def _range(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if not _integral(*inputs):
        return None
    start, end, step = (array.reshape(-1)[0] for array in inputs)
    return [np.arange(start, end, step, dtype=inputs[0].dtype)] if step else None


@_rule("ConstantOfShape")
def _constant_of_shape(node: ir.Node, inputs: list[Array]) -> list[Array]:
    found = node.attributes.get("value")
    value = np.zeros(1, np.float32) if found is None else found.as_tensor().numpy()
    return [np.full(inputs[0].tolist(), value.reshape(-1)[0], value.dtype)]


@_rule("Where")
def _where(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    condition, yes, no = inputs
    return [np.where(condition, yes, no)] if yes.dtype == no.dtype else None


_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Equal": np.equal,
    "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less,
    "LessOrEqual": np.less_equal, "And": np.logical_and, "Or": np.logical_or,
    "Min": np.minimum, "Max": np.maximum,
}  # fmt: skip


@_rule(*_BINARY)
def _binary(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    if len(inputs) != 2 or not _integral(*inputs) or inputs[0].dtype != inputs[1].dtype:
        return None
    return [np.asarray(_BINARY[node.op_type](*inputs))]


@_rule("Div", "Mod")
def _quotient(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    """Division rounds towards zero; the remainder has the sign of the divisor."""
    first, second = inputs
    if not _integral(first, second) or first.dtype != second.dtype or not np.all(second):
        return None
    if node.op_type == "Mod":
        return None if graph_facts.attribute(node, "fmod", 0) else [np.asarray(first % second)]
    away = (first % second != 0) & ((first < 0) != (second < 0))
    return [np.asarray(first // second + away).astype(first.dtype)]


@_rule("Neg")
def _neg(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    return [np.asarray(-inputs[0])] if inputs[0].dtype.kind == "i" else None


@_rule("Not")
def _not(node: ir.Node, inputs: list[Array]) -> list[Array]:
    return [np.asarray(np.logical_not(inputs[0]))]


_REDUCE: dict[str, Callable[..., Any]] = {
    "ReduceSum": np.sum, "ReduceProd": np.prod, "ReduceMax": np.max, "ReduceMin": np.min
}  # fmt: skip


@_rule(*_REDUCE)
def _reduce(node: ir.Node, inputs: list[Array]) -> list[Array] | None:
    data = inputs[0]
    if data.dtype.kind != "i" or "axes" in node.attributes or not data.size:
        return None
    axes = tuple(inputs[1].tolist()) if len(inputs) > 1 else ()
    if not axes and graph_facts.attribute(node, "noop_with_empty_axes", 0):
        return [data]
    keep = bool(graph_facts.attribute(node, "keepdims", 1))
    found = _REDUCE[node.op_type](data, axis=axes or None, keepdims=keep)
    return [np.asarray(found).astype(data.dtype)]
