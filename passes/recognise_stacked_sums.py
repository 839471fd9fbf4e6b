"""Recognise experts whose outputs are stacked and weighed, once or once per task (MMoE)."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.expert_classes import (
    FORM,
    classify,
    dense_rows,
    every_expert,
    where_not_zero,
)
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.routing_matrix import choice_of
from edgemoe.row_source import with_shape
from edgemoe.template_rows import NotLifted
from edgemoe.zero_scores import can_be_zero


@dataclass
class Sum:
    """total = sum over e of weights * stack; `order` are the axes (token, expert) of weights."""

    total: ir.Value
    weights: ir.Value
    order: tuple[int, int]


@graph_pass(
    phase="recognise", after=("recognise_dense_loops", "recognise_stacked"), exact="reassociation"
)
def recognise_stacked_sums(model: ir.Model, context: PassContext) -> int:
    """Compute stacked experts as rows, only those that count where a single sum reads them.

    Given:  s = Concat(f_0(x), f_1(x)): f32[T,E,H]; y = ReduceSum(Mul(s, Unsqueeze(R, 2)), 1)
    Result: y = Combine(f(Dispatch(x, ids), ids), R), the ids being all, or those that R has
    """
    changes = 0
    for node in list(model.graph):
        sums = _sums(node)
        if not sums:
            continue
        try:
            changes += _rewrite(node, sums)
        except NotLifted as reason:
            context.notes.append(
                Note("missed", "experts",
                     f"{len(node.inputs)} stacked experts are computed apart: {reason}",
                     node.name or "", graph_facts.origin_of(node), {"dense": True})
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _sums(node: ir.Node) -> list[Sum]:
    """Return the weighted sums that read a stack; [] if it is none, or something else reads it."""
    shape = graph_facts.shape_of(node.outputs[0])
    if not graph_facts.is_op(node, "Concat") or shape is None or len(shape) != 3:
        return []
    axis = graph_facts.axis_of(node, 0, 3)
    experts = len(node.inputs)
    if shape[axis] != experts or experts < 2 or node.outputs[0].is_graph_output():
        return []
    found = []
    for use in node.outputs[0].uses():
        one = _sum(use.node, node.outputs[0], shape, axis)
        if one is None:
            return []
        found.append(one)
    return found


def _sum(user: ir.Node, stack: ir.Value, shape: tuple[int, ...], axis: int) -> Sum | None:
    if graph_facts.is_op(user, "Mul"):
        return _product_and_sum(user, stack, shape, axis)
    if graph_facts.is_op(user, "MatMul"):
        return _matmul(user, stack, shape, axis)
    if graph_facts.is_op(user, "Einsum"):
        return _einsum(user, stack, axis)
    return None


def _product_and_sum(
    user: ir.Node, stack: ir.Value, shape: tuple[int, ...], axis: int
) -> Sum | None:
    weights = graph_facts.other_input(user, stack)
    total = graph_facts.only_user(user.outputs[0])
    own = graph_facts.shape_of(weights)
    if total is None or not graph_facts.is_op(total, "ReduceSum") or weights is None:
        return None
    if graph_facts.axes_of(total) != [axis] or own is None or graph_facts.is_constant(weights):
        return None
    padded = (1,) * (3 - len(own)) + own
    width = 2 if axis < 2 else 1
    wanted = tuple(1 if a == width else extent for a, extent in enumerate(shape))
    if padded != wanted or len(own) != 3:
        return None
    return Sum(total.outputs[0], weights, (0, 1) if axis in (1, 2) else (1, 0))


def _matmul(user: ir.Node, stack: ir.Value, shape: tuple[int, ...], axis: int) -> Sum | None:
    """Take w [T,1,E] @ stack [T,E,H], or stack [T,H,E] @ w [T,E,1]."""
    first, second = user.inputs
    left = second is stack and axis == 1
    weights = first if left else second
    if not left and not (first is stack and axis == 2):
        return None
    wanted = (shape[0], 1, shape[1]) if left else (shape[0], shape[2], 1)
    if weights is None or graph_facts.shape_of(weights) != wanted:
        return None
    return None if graph_facts.is_constant(weights) else Sum(user.outputs[0], weights, (0, 1))


def _einsum(user: ir.Node, stack: ir.Value, axis: int) -> Sum | None:
    equation = graph_facts.text_attribute(user, "equation", "").replace(" ", "")
    left, _, output = equation.partition("->")
    terms = left.split(",")
    if len(terms) != 2 or "." in equation:
        return None
    index = 0 if user.inputs[1] is stack else 1
    weights, own, stacked = user.inputs[index], terms[index], terms[1 - index]
    if len(own) != 2 or len(stacked) != 3 or len(output) != 2 or weights is None:
        return None
    expert = stacked[axis]
    others = stacked.replace(expert, "")
    token = own.replace(expert, "")
    if expert not in own or expert in output or output != others or others[0] != token:
        return None
    if graph_facts.is_constant(weights):
        return None
    return Sum(user.outputs[0], weights, (own.index(token), own.index(expert)))


def _rewrite(node: ir.Node, sums: list[Sum]) -> int:
    shape = graph_facts.shape_of(node.outputs[0])
    assert shape is not None
    axis = graph_facts.axis_of(node, 0, 3)
    experts = len(node.inputs)
    tokens, width = (extent for a, extent in enumerate(shape) if a != axis)
    values = [with_shape(v, (tokens, width)) for v in node.inputs if v is not None]
    classes = classify(values)
    if not classes:
        return 0  # a stack of something else
    if len(classes) > 1 or classes[0].members != list(range(experts)):
        raise NotLifted("the experts are not computed alike")
    first = _last([s.total for s in sums])
    emit = Emitter(first)
    matrices = [_matrix(emit, s, tokens, experts) for s in sums]
    form, ids, weights = "soft", every_expert(emit, tokens, experts), matrices
    if len(sums) == 1:
        form, ids, weights = _chosen(emit, matrices[0], tokens, experts)
    rows = dense_rows(emit, ids, list(range(experts)))
    y = rows.lift(classes[0].template)
    y = emit.reshape(y, graph_facts.size_of(ids) or 0, width)
    for one, matrix in zip(sums, weights, strict=True):
        total = regions.combine(emit, y, emit.cast(matrix, y.dtype or ir.DataType.FLOAT))
        producer = total.producer()
        assert producer is not None
        if form != "indexed":
            producer.metadata_props[FORM] = form
        replace(one.total, emit.reshape(total, *(graph_facts.shape_of(one.total) or ())))
    emit.graph.sort()
    return 1


def _last(values: list[ir.Value]) -> ir.Node:
    """Return the last of these nodes: what all of them read exists in front of it."""
    nodes = {v.producer() for v in values}
    graph = next(iter(nodes)).graph  # type: ignore[union-attr]
    return [n for n in graph if n in nodes][-1]  # type: ignore[union-attr]


def _matrix(emit: Emitter, one: Sum, tokens: int, experts: int) -> ir.Value:
    """Return the weights as [T, E]."""
    if one.order == (0, 1):
        return emit.reshape(with_shape(one.weights, (tokens, experts)), tokens, experts)
    turned = emit.reshape(with_shape(one.weights, (experts, tokens)), experts, tokens)
    source = turned.producer()
    if graph_facts.is_op(source, "Transpose") and source is not None and source.inputs[0]:
        return source.inputs[0]
    return emit.op("Transpose", turned, perm=[1, 0])


def _chosen(
    emit: Emitter, matrix: ir.Value, tokens: int, experts: int
) -> tuple[str, ir.Value, list[ir.Value]]:
    choice = choice_of(emit, matrix, experts)
    if choice is not None:
        ids, weights = choice
        shape = (tokens, (graph_facts.size_of(ids) or 0) // tokens)
        ids = emit.cast(emit.reshape(with_shape(ids, shape), *shape), ir.DataType.INT64)
        return "indexed", ids, [emit.reshape(with_shape(weights, shape), *shape)]
    if can_be_zero(matrix) is not None:
        return "scored", where_not_zero(emit, matrix), [matrix]
    return "soft", every_expert(emit, tokens, experts), [matrix]
