"""Experts that work on slots: what fills them, and which of them anybody reads.

x of a slot is a mixture of tokens (Soft-MoE), one token (expert choice), or one token or nothing
(GShard and Switch, with a capacity). A slot that no token reads needs no expert.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.row_source import moved_source
from edgemoe.zero_scores import can_be_zero

_MOVES = graph_facts.MOVEMENTS


def is_routed(value: ir.Value | None, experts: int) -> bool:
    """Tell whether rows [E, C, w] were put together from tokens, for each expert apart.

    By a product of run-time weights with tokens that have no axis of experts, by gathering tokens
    with run-time indices, or by scattering them.
    """
    for _ in range(16):
        node = value.producer() if value is not None else None
        if node is None or value is None:
            return False
        if graph_facts.is_op(node, "GatherND", "Gather", "GatherElements"):
            return not graph_facts.is_constant(node.inputs[1])
        if graph_facts.is_op(node, "ScatterND", "ScatterElements"):
            return True
        if graph_facts.is_op(node, "Einsum", "MatMul"):
            return _mixes_tokens(node, experts)
        if not graph_facts.is_op(node, "Cast", *_MOVES):
            return False
        moving = [v for v in node.inputs if v is not None and not graph_facts.is_constant(v)]
        value = moving[0] if moving else None
    return False


def _mixes_tokens(node: ir.Node, experts: int) -> bool:
    operands = [v for v in node.inputs if v is not None]
    if len(operands) != 2 or any(graph_facts.is_constant(v) for v in operands):
        return False
    if graph_facts.is_op(node, "MatMul"):  # [E * C, T] @ [T, H]
        shape = graph_facts.shape_of(operands[1])
        return shape is not None and (len(shape) == 2 or shape[0] == 1)
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    left, _, output = equation.partition("->")
    terms = left.split(",")
    shape = graph_facts.shape_of(node.outputs[0])
    if len(terms) != 2 or shape is None or len(shape) != len(output):
        return False
    axes = [c for c, extent in zip(output, shape, strict=True) if extent == experts]
    return any((c in terms[0]) != (c in terms[1]) for c in axes[:1])


def slots_in_use(emit: Emitter, y: ir.Value, slots: int) -> ir.Value | None:
    """Return bool [slots]: whether anybody reads a row of the experts' result; None for all.

    Args:
        emit: where nodes go.
        y: the result, [E, C, H] or the like.
        slots: E * C.
    """
    value = y
    for _ in range(8):
        user = graph_facts.only_user(value)
        if user is None:
            return None
        if graph_facts.is_op(user, "Einsum"):
            return _by_einsum(emit, user, value, slots)
        if graph_facts.is_op(user, "MatMul") and user.inputs[1] is value:
            return _by_weights(emit, user.inputs[0], slots)
        if graph_facts.is_op(user, "GatherND", "Gather") and user.inputs[0] is value:
            return _by_index(emit, user, slots)
        padded = graph_facts.is_op(user, "Concat") and user.inputs[0] is value
        if not padded and not graph_facts.is_op(user, *graph_facts.RESHAPES):
            return None
        value = user.outputs[0]
    return None


def _by_einsum(emit: Emitter, node: ir.Node, y: ir.Value, slots: int) -> ir.Value | None:
    """Einsum "sec,ecm->sm": slot (e, c) is read by token s where the weight is not zero."""
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    left, _, output = equation.partition("->")
    terms = left.split(",")
    if len(terms) != 2:
        return None
    index = 0 if node.inputs[1] is y else 1
    weights, term, own = node.inputs[index], terms[index], terms[1 - index]
    summed = [c for c in own if c not in output]
    shape = graph_facts.shape_of(weights)
    if weights is None or shape is None or can_be_zero(weights) is None:
        return None
    order = [term.index(c) for c in summed if c in term]
    others = [a for a in range(len(term)) if a not in order]
    if len(order) != len(summed) or int(np.prod([shape[a] for a in order])) != slots:
        return None
    flat = emit.op("Transpose", weights, perm=[*others, *order])
    return _any(emit, emit.reshape(flat, -1 if not others else _rows(shape, others), slots))


def _rows(shape: tuple[int, ...], axes: list[int]) -> int:
    return int(np.prod([shape[a] for a in axes]))


def _by_weights(emit: Emitter, weights: ir.Value | None, slots: int) -> ir.Value | None:
    shape = graph_facts.shape_of(weights)
    if weights is None or shape is None or shape[-1] != slots or can_be_zero(weights) is None:
        return None
    return _any(emit, emit.reshape(weights, int(np.prod(shape[:-1])), slots))


def _any(emit: Emitter, weights: ir.Value) -> ir.Value:
    largest = emit.op("ReduceMax", emit.op("Abs", weights), emit.ints(0), keepdims=0)
    zero = emit.constant(np.array(0, (weights.dtype or ir.DataType.FLOAT).numpy()), "zero")
    return emit.op("Greater", largest, zero)


def _by_index(emit: Emitter, node: ir.Node, slots: int) -> ir.Value | None:
    """Rows are read by number: a slot is in use where its number occurs."""
    index = node.inputs[1]
    shape = graph_facts.shape_of(index)
    if index is None or shape is None or graph_facts.is_constant(index):
        return None
    if graph_facts.is_op(node, "Gather") and graph_facts.attribute(node, "axis", 0) != 0:
        return None
    if graph_facts.is_op(node, "GatherND") and shape[-1] != 1:
        return None
    flat = emit.reshape(emit.cast(index, ir.DataType.INT64), int(np.prod(shape)), 1)
    numbers = emit.constant(np.arange(slots, dtype=np.int64), "slots")
    hits = emit.cast(emit.op("Equal", flat, numbers), ir.DataType.FLOAT)
    zero = emit.constant(np.array(0, np.float32), "zero")
    return emit.op("Greater", emit.op("ReduceMax", hits, emit.ints(0), keepdims=0), zero)


def slot_ids(emit: Emitter, experts: int, capacity: int, used: ir.Value | None) -> ir.Value:
    """Return ids int64 [E * C, 1]: the expert of each slot, -1 where nobody reads it."""
    numbers = np.repeat(np.arange(experts, dtype=np.int64), capacity).reshape(-1, 1)
    ids = emit.constant(numbers, "slots")
    if used is None:
        return ids
    nobody = emit.constant(np.array(-1, np.int64), "nobody")
    return emit.op("Where", emit.reshape(used, experts * capacity, 1), ids, nobody)


def source_of_slices(values: list[ir.Value], experts: int) -> ir.Value | None:
    """Return x [E, ...] when value e holds the elements of x[e]; proven by moving numbers."""
    first = values[0].producer()
    while first is not None and graph_facts.is_op(first, *_MOVES, "Gather"):
        source = first.inputs[0]
        size = graph_facts.size_of(source)
        each = graph_facts.size_of(values[0])
        if source is None or each is None or size is None:
            return None
        if size == each * experts and all(
            moved_source(v, graph_facts.shape_of(source) or (), _part(e, experts)) is not None
            for e, v in enumerate(values)
        ):
            return source
        first = source.producer()
    return None


def _part(number: int, experts: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda a: a.reshape(experts, -1)[number]
