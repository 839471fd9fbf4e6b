"""Recognise unrolled experts that all see every token and are weighted by a top-k matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.anti_unify import AntiUnifier, Template
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.routing_matrix import choice_of
from edgemoe.row_source import with_shape
from edgemoe.template_rows import NotLifted, TemplateRows, emit_combine
from edgemoe.zero_scores import is_zero


@dataclass
class Term:
    """One summand weight[:, e] * f_e(x)."""

    value: ir.Value  # f_e(x)
    matrix: ir.Value
    expert: int
    summand: ir.Value


@graph_pass(phase="recognise", exact="reassociation")
def recognise_dense_loops(model: ir.Model, context: PassContext) -> int:
    """Compute only the chosen experts of a sum over all experts with a top-k weight matrix.

    Given:  R = ScatterElements(0, ids, w); y = Add(Mul(R[:,0], f_0(x)), Mul(R[:,1], f_1(x)))
    Result: y = Combine(f(Dispatch(x, ids), ids), w), f of `ExpertLinear` with stacked weights
    """
    changes = 0
    for node in list(model.graph):
        summands = sum_terms(node)
        if len(summands) < 2:
            continue
        groups: dict[ir.Value, list[Term]] = {}
        for value in summands:
            term = _term(value)
            if term is not None:
                groups.setdefault(term.matrix, []).append(term)
        for matrix, terms in groups.items():
            if len(terms) < 2:
                continue
            rest = [v for v in summands if v not in [t.summand for t in terms] and not is_zero(v)]
            try:
                changes += _rewrite(node, matrix, terms, rest, context)
            except NotLifted as reason:
                context.notes.append(
                    Note("missed", "experts",
                         f"{len(terms)} experts are computed for every token: {reason}",
                         node.name or "", graph_facts.origin_of(node), {"dense": True})
                )  # fmt: skip
                remove_dead_nodes(model.graph)
            break
    if changes:
        regions.add_bodies(model)
    return changes


def sum_terms(node: ir.Node) -> list[ir.Value]:
    """Return the summands of the largest sum that ends in `node`; [] inside a larger one."""
    if not graph_facts.is_op(node, "Add", "Sum"):
        return []
    user = graph_facts.only_user(node.outputs[0])
    if user is not None and graph_facts.is_op(user, "Add", "Sum"):
        return []
    found: list[ir.Value] = []
    todo = [value for value in reversed(node.inputs) if value is not None]
    shape = graph_facts.shape_of(node.outputs[0])
    while todo:
        value = todo.pop()
        inner = graph_facts.made_by(value, "Add", "Sum")
        same = graph_facts.shape_of(value) == shape
        if inner is not None and same and graph_facts.only_user(value) is not None:
            todo.extend(v for v in reversed(inner.inputs) if v is not None)
        else:
            found.append(value)
    return found


def _term(value: ir.Value) -> Term | None:
    product = graph_facts.made_by(value, "Mul")
    if product is None:
        return None
    for weight, y in (product.inputs, tuple(reversed(product.inputs))):
        column = _column(weight)
        if column is not None and y is not None:
            return Term(y, *column, value)
    return None


def _column(value: ir.Value | None) -> tuple[ir.Value, int] | None:
    """Return (R, e) when value is R[..., e] or R[..., e:e+1], with axes of one element."""
    if value is None:
        return None
    node = graph_facts.before_reshapes(value).producer()
    matrix = node.inputs[0] if node is not None and node.inputs else None
    shape = graph_facts.shape_of(matrix)
    if node is None or matrix is None or shape is None or graph_facts.is_constant(matrix):
        return None
    if graph_facts.is_op(node, "Gather"):
        index = graph_facts.ints_of(node.inputs[1])
        last = graph_facts.axis_of(node, 0, len(shape)) == len(shape) - 1
        return (matrix, index[0] % shape[-1]) if last and index and len(index) == 1 else None
    if graph_facts.is_op(node, "Slice"):
        parts = [graph_facts.ints_of(v) for v in node.inputs[1:]]
        if len(parts) < 3 or parts[2] is None or parts[0] is None or len(parts[0]) != 1:
            return None
        last = parts[2][0] % len(shape) == len(shape) - 1
        single = (graph_facts.shape_of(node.outputs[0]) or (0,))[-1] == 1
        return (matrix, parts[0][0] % shape[-1]) if last and single else None
    if graph_facts.is_op(node, "Split"):
        source = graph_facts.before_reshapes(value)
        last = graph_facts.axis_of(node, 0, len(shape)) == len(shape) - 1
        return (matrix, source.index() or 0) if last and len(node.outputs) == shape[-1] else None
    return None


def _rewrite(
    node: ir.Node, matrix: ir.Value, terms: list[Term], rest: list[ir.Value], context: PassContext
) -> int:
    shape = graph_facts.shape_of(matrix)
    out = graph_facts.shape_of(node.outputs[0])
    assert shape is not None and out is not None
    experts, tokens = shape[-1], int(np.prod(shape[:-1]))
    if sorted(term.expert for term in terms) != list(range(experts)):
        raise NotLifted(f"{len(terms)} terms do not cover the {experts} columns of {matrix.name}")
    template = AntiUnifier().unify([term.value for term in terms])
    if template is None:
        raise NotLifted("the experts are not computed alike")
    emit = Emitter(node)
    choice = choice_of(emit, matrix, experts)
    if choice is None:
        raise NotLifted(f"{matrix.name} is not known to be zero for experts that are not chosen")
    ids, weights = choice
    chosen = (graph_facts.size_of(ids) or 0) // tokens
    ids = emit.cast(emit.reshape(with_shape(ids, (tokens, chosen)), tokens, chosen),
                    ir.DataType.INT64)  # fmt: skip
    rows = dense_rows(emit, ids, [term.expert for term in terms])
    y = rows.lift(template)
    total = emit_combine(rows, y, with_shape(weights, (tokens, chosen)), tokens, chosen)
    result = emit.reshape(total, *out)
    for value in rest:
        result = emit.op("Add", result, value)
    replace(node.outputs[0], result)
    return 1


def dense_rows(emit: Emitter, ids: ir.Value, order: list[int]) -> TemplateRows:
    """Prepare to lift a template of values [T, ...], experts numbered by `order`."""
    tokens, chosen = graph_facts.shape_of(ids) or (0, 0)

    def lead(part: Template) -> int:
        shape = graph_facts.shape_of(part.value) or ()
        for count in range(1, len(shape) + 1):
            if int(np.prod(shape[:count])) == tokens:
                return count
        raise NotLifted(f"{part.value.name} with shape {shape} has no axis for the tokens")

    def leaf(part: Template) -> ir.Value | None:
        if part.kind != "shared" or graph_facts.is_constant(part.value):
            return None
        shape = graph_facts.shape_of(part.value)
        if shape is None:
            return None
        inner = shape[lead(part) :]
        width = int(np.prod(inner))
        source = emit.reshape(with_shape(part.value, (tokens, width)), tokens, width)
        return emit.reshape(regions.dispatch(emit, source, ids), tokens * chosen, *inner)

    return TemplateRows(emit, ids, tokens * chosen, order, leaf, lead)
