"""Read a dense matrix of combine weights [T, E] as the choice that it was scattered from."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.row_source import with_shape
from edgemoe.zero_scores import is_zero, largest

IsNothing = Callable[["ir.Value | None"], bool]
"""What a matrix holds for experts that are not chosen."""

_SIGMOID_IS_ZERO = -1000.0
"""From here down, sigmoid and exponential are zero in any precision."""


def choice_of(emit: Emitter, matrix: ir.Value, experts: int) -> tuple[ir.Value, ir.Value] | None:
    """Return ids and weights [T, K] with matrix[t, e] = sum of weights[t, j] where ids[t, j] = e.

    The ids of a token differ from each other, and are below `experts`. None when that cannot be
    proven. May emit nodes.
    """
    matrix = graph_facts.before_reshapes(matrix)
    node = matrix.producer()
    if node is None:
        return None
    if graph_facts.is_op(node, "Cast") and node.inputs[0] is not None:
        return choice_of(emit, node.inputs[0], experts)
    if graph_facts.is_op(node, "ScatterElements"):
        return _scattered(node, experts, is_zero)
    if graph_facts.is_op(node, "OneHot", "Equal"):
        return _one_hot(emit, node, experts)
    if graph_facts.is_op(node, "ReduceSum"):
        return _one_hot_sum(emit, node, experts)
    if graph_facts.is_op(node, "Where"):
        return _masked(emit, node, experts, is_zero)
    if graph_facts.is_op(node, "Mul", "Div"):
        return _product(emit, node, experts)
    if graph_facts.is_op(node, "Sigmoid", "Exp", "Softmax"):
        return _vanishing(emit, node, experts)
    return None


def before_integer_casts(ids: ir.Value) -> ir.Value:
    """Return what ids are a reshape or a cast of."""
    value = graph_facts.before_reshapes(ids)
    while (cast := graph_facts.made_by(value, "Cast")) is not None and cast.inputs[0] is not None:
        value = graph_facts.before_reshapes(cast.inputs[0])
    return value


def distinct_ids(ids: ir.Value, experts: int) -> bool:
    """Tell whether ids [.., K] come from a TopK (or ArgMax) over an axis of `experts` values."""
    value = before_integer_casts(ids)
    node = graph_facts.made_by(value, "TopK", "ArgMax", "ArgMin")
    shape = graph_facts.shape_of(node.inputs[0]) if node is not None else None
    if node is None or shape is None:
        return False
    if graph_facts.is_op(node, "TopK") and value.index() != 1:
        return False
    default = -1 if graph_facts.is_op(node, "TopK") else 0
    return graph_facts.axis_of(node, default, len(shape)) == len(shape) - 1 and shape[-1] == experts


def _vanishing(emit: Emitter, node: ir.Node, experts: int) -> tuple[ir.Value, ir.Value] | None:
    """A function of scores that are so low, where an expert is not chosen, that it gives zero."""
    scores = graph_facts.before_reshapes(node.inputs[0]) if node.inputs[0] is not None else None
    inner = scores.producer() if scores is not None else None
    softmax = graph_facts.is_op(node, "Softmax")
    shape = graph_facts.shape_of(node.outputs[0])
    if inner is None or shape is None:
        return None
    if softmax and graph_facts.axis_of(node, -1, len(shape)) != len(shape) - 1:
        return None
    if softmax and graph_facts.shape_of(scores) != shape:
        return None
    low = -math.inf if softmax else _SIGMOID_IS_ZERO

    def vanishes(value: ir.Value | None) -> bool:
        highest = largest(value)
        return highest is not None and highest <= low

    found = None
    if graph_facts.is_op(inner, "ScatterElements"):
        found = _scattered(inner, experts, vanishes, reductions=("none",))
    elif graph_facts.is_op(inner, "Where"):
        found = _masked(emit, inner, experts, vanishes)
    if found is None:
        return None
    ids, chosen = found
    options = {"axis": -1} if softmax else {}
    return ids, emit.op(node.op_type, chosen, **options)


def _scattered(
    node: ir.Node,
    experts: int,
    is_nothing: IsNothing,
    reductions: Collection[str] = ("none", "add"),
) -> tuple[ir.Value, ir.Value] | None:
    zeros, ids, weights = node.inputs
    shape = graph_facts.shape_of(node.outputs[0])
    if ids is None or weights is None or shape is None or not is_nothing(zeros):
        return None
    if graph_facts.axis_of(node, 0, len(shape)) != len(shape) - 1:
        return None
    if graph_facts.text_attribute(node, "reduction", "none") not in reductions:
        return None
    if shape[-1] != experts or not distinct_ids(ids, experts):
        return None
    same = graph_facts.shape_of(ids) == graph_facts.shape_of(weights)
    whole = (graph_facts.shape_of(ids) or ())[:-1] == shape[:-1]
    return (ids, weights) if same and whole else None


def _one_hot(emit: Emitter, node: ir.Node, experts: int) -> tuple[ir.Value, ir.Value] | None:
    """One expert for each token, weight 1."""
    ids = one_hot_ids(node.outputs[0], experts)
    shape = graph_facts.shape_of(node.outputs[0])
    if ids is None or shape is None or not distinct_ids(ids, experts):
        return None
    single = (*shape[:-1], 1)
    if graph_facts.size_of(ids) != int(np.prod(single)):
        return None
    return with_shape(ids, single), emit.constant(np.ones(single, np.float32), "ones")


def _one_hot_sum(emit: Emitter, node: ir.Node, experts: int) -> tuple[ir.Value, ir.Value] | None:
    """Sum over j of one_hot(ids)[t, j, e] * weights[t, j, 1]; without weights they are ones."""
    source = node.inputs[0]
    shape, axes = graph_facts.shape_of(source), graph_facts.axes_of(node)
    if source is None or shape is None or axes != [len(shape) - 2] or shape[-1] != experts:
        return None
    product = graph_facts.made_by(source, "Mul")
    pairs: list[tuple[ir.Value | None, ir.Value | None]] = [(source, None)]
    if product is not None:
        pairs = [(product.inputs[0], product.inputs[1]), (product.inputs[1], product.inputs[0])]
    for hot, weights in pairs:
        ids = one_hot_ids(hot, experts) if hot is not None else None
        if ids is None or not distinct_ids(ids, experts):
            continue
        flat = with_shape(ids, shape[:-1])
        if weights is None:
            return flat, emit.constant(np.ones(shape[:-1], np.float32), "ones")
        if graph_facts.shape_of(weights) == (*shape[:-1], 1):
            return flat, with_shape(weights, shape[:-1])
    return None


def one_hot_ids(hot: ir.Value, experts: int) -> ir.Value | None:
    """Return ids [..] of one-hot vectors [.., E]."""
    node = hot.producer()
    while node is not None and graph_facts.is_op(node, "Cast") and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    if node is None:
        return None
    if graph_facts.is_op(node, "OneHot"):
        depth = graph_facts.ints_of(node.inputs[1])
        levels = graph_facts.array_of(node.inputs[2])
        shape = graph_facts.shape_of(node.outputs[0]) or ()
        last = graph_facts.axis_of(node, -1, len(shape)) == len(shape) - 1
        plain = levels is not None and [float(x) for x in levels] == [0.0, 1.0]
        return node.inputs[0] if depth == [experts] and last and plain else None
    if graph_facts.is_op(node, "Equal"):
        for ids, numbers in (node.inputs, tuple(reversed(node.inputs))):
            own = graph_facts.shape_of(ids)
            counted = graph_facts.ints_of(numbers) == list(range(experts))
            if counted and ids is not None and own is not None and own[-1:] == (1,):
                return ids
    return None


def _masked(
    emit: Emitter, node: ir.Node, experts: int, is_nothing: IsNothing
) -> tuple[ir.Value, ir.Value] | None:
    """Where(chosen, scores, 0): the weights are the scores of the chosen."""
    condition, scores, other = node.inputs
    negated = is_nothing(scores)
    if negated:
        scores, other = other, scores
    if not is_nothing(other) or scores is None or condition is None:
        return None
    inner = condition.producer()
    if negated:
        if inner is None or not graph_facts.is_op(inner, "Not") or inner.inputs[0] is None:
            return None
        condition = inner.inputs[0]
    return _chosen(emit, condition, scores, experts)


def _chosen(
    emit: Emitter, mask: ir.Value, scores: ir.Value, experts: int
) -> tuple[ir.Value, ir.Value] | None:
    marks = choice_of(emit, mask, experts)
    if marks is None:
        return None
    ids, ones = marks
    array = graph_facts.array_of(ones)
    if array is None or not (array == 1).all():
        return None
    if len(graph_facts.shape_of(ids) or ()) != len(graph_facts.shape_of(scores) or ()):
        return None
    return ids, emit.op("GatherElements", scores, ids, axis=-1)


def _product(emit: Emitter, node: ir.Node, experts: int) -> tuple[ir.Value, ir.Value] | None:
    """A matrix times scores, or scaled by one number per token (renormalised, for example)."""
    first, second = node.inputs
    if first is None or second is None:
        return None
    if graph_facts.is_op(node, "Mul"):
        for mask, scores in ((first, second), (second, first)):
            same = graph_facts.shape_of(mask) == graph_facts.shape_of(scores)
            if same and (found := _chosen(emit, mask, scores, experts)) is not None:
                return found
    pairs = (
        [(first, second)] if graph_facts.is_op(node, "Div") else [(first, second), (second, first)]
    )
    for matrix, factor in pairs:
        shape = graph_facts.shape_of(factor)
        if shape is None or (shape and shape[-1] != 1) or graph_facts.size_of(matrix) == 1:
            continue
        found = choice_of(emit, matrix, experts)
        if found is not None:
            ids, weights = found
            total = _sum_of_chosen(emit, factor, matrix, weights)
            return ids, emit.op(node.op_type, weights, total)
    return None


def _sum_of_chosen(
    emit: Emitter, factor: ir.Value, matrix: ir.Value, weights: ir.Value
) -> ir.Value:
    """The sum of a row is the sum of the chosen weights: then nobody needs the matrix."""
    node = factor.producer()
    if node is None:
        return factor
    if graph_facts.is_op(node, "ReduceSum") and node.inputs[0] is matrix:
        rank = len(graph_facts.shape_of(matrix) or ())
        if graph_facts.axes_of(node) == [rank - 1] and graph_facts.attribute(node, "keepdims", 1):
            return emit.op("ReduceSum", weights, emit.ints(-1), keepdims=1)
    if graph_facts.is_op(node, "Add", "Max", "Clip") and node.inputs[0] is not None:
        inner = _sum_of_chosen(emit, node.inputs[0], matrix, weights)
        if inner is not node.inputs[0]:
            return emit.op(node.op_type, inner, *node.inputs[1:])
    return factor
