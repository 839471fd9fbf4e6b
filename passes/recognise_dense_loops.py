"""Recognise sums over experts that all see every token: each times a weight of the token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.expert_classes import (
    ExpertClass,
    classify,
    emit_class,
    every_expert,
    ids_within,
    where_not_zero,
)
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.routing_matrix import choice_of, distinct_ids
from edgemoe.row_source import with_shape
from edgemoe.template_rows import NotLifted
from edgemoe.zero_scores import can_be_zero, is_zero


@dataclass
class Term:
    """One summand weight * f_e(x), the weight one number per token."""

    value: ir.Value  # f_e(x)
    weight: ir.Value  # [.., 1]
    summand: ir.Value
    column: tuple[ir.Value, int] | None  # (R, e) where the weight is R[:, e]


@graph_pass(phase="recognise", after=("recognise_scatter_loops",), exact="reassociation")
def recognise_dense_loops(model: ir.Model, context: PassContext) -> int:
    """Compute only the experts that count in a sum of experts times weights of the token.

    Given:  R = ScatterElements(0, ids, w); y = Add(Mul(R[:,0], f_0(x)), Mul(R[:,1], f_1(x)))
    Result: y = Combine(f(Dispatch(x, ids), ids), w), f of `ExpertLinear` with stacked weights
    """
    changes = 0
    for node in list(model.graph):
        summands = sum_terms(node)
        terms = [term for value in summands if (term := _term(value)) is not None]
        if not terms:
            continue
        try:
            changes += _rewrite(node, summands, terms)
        except NotLifted as reason:
            context.notes.append(
                Note("missed", "experts",
                     f"{len(terms)} experts are computed for every token: {reason}",
                     node.name or "", graph_facts.origin_of(node), {"dense": True})
            )  # fmt: skip
            remove_dead_nodes(model.graph)
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
    """Split a product into the factors with one number per token and what they weigh."""
    shape = graph_facts.shape_of(value)
    summand, value = value, _without_guard(value)
    if graph_facts.made_by(value, "Mul") is None or shape is None or len(shape) < 2:
        return None
    weights: list[ir.Value] = []
    body: ir.Value | None = value
    while (product := graph_facts.made_by(body, "Mul")) is not None and body is not None:
        first, second = product.inputs
        narrow = [v for v in (first, second) if v is not None and _is_per_token(v, shape)]
        if len(narrow) != 1 or (body is not value and graph_facts.only_user(body) is None):
            break
        weights.append(narrow[0])
        body = second if narrow[0] is first else first
    if not weights or body is None or graph_facts.shape_of(body) != shape:
        return None
    if not _leads_to_product(body):
        return None
    emit = Emitter(value.producer())  # type: ignore[arg-type]
    weight = weights[0]
    for other in weights[1:]:
        weight = emit.op("Mul", weight, other)
    column = _column(weight) if len(weights) == 1 else None
    return Term(body, weight, summand, column)


def _without_guard(value: ir.Value) -> ir.Value:
    """Return the product in Where(w == 0, 0, w * y)."""
    node = graph_facts.made_by(value, "Where")
    equal = graph_facts.made_by(node.inputs[0], "Equal") if node is not None else None
    if node is None or equal is None or not is_zero(node.inputs[1]):
        return value
    product = graph_facts.made_by(node.inputs[2], "Mul")
    guarded = product is not None and equal.inputs[0] in product.inputs
    if not guarded or graph_facts.scalar_of(equal.inputs[1]) != 0 or node.inputs[2] is None:
        return value
    return node.inputs[2]


def _is_per_token(value: ir.Value | None, shape: tuple[int, ...]) -> bool:
    own = graph_facts.shape_of(value)
    if value is None or own is None or graph_facts.is_constant(value) or shape[-1] == 1:
        return False
    return len(own) == len(shape) and own == (*shape[:-1], 1)


def _leads_to_product(value: ir.Value, limit: int = 60) -> bool:
    """Tell whether a product with a constant matrix is near, and nothing that mixes rows before."""
    from edgemoe.template_rows import LIFTED

    todo, seen = [value], set[ir.Node]()
    while todo and len(seen) < limit:
        node = todo.pop().producer()
        if node is None or node in seen or not graph_facts.is_op(node, *LIFTED):
            continue
        seen.add(node)
        if graph_facts.is_op(node, "Gemm", "MatMul"):
            weight = node.inputs[1]
            if graph_facts.is_constant(weight) and len(graph_facts.shape_of(weight) or ()) == 2:
                return True
            continue
        todo.extend(v for v in node.inputs if v is not None)
    return False


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


def _rewrite(node: ir.Node, summands: list[ir.Value], terms: list[Term]) -> int:
    """Take the terms that belong together out of the sum, and add what their experts give."""
    out = graph_facts.shape_of(node.outputs[0])
    assert out is not None
    tokens = int(np.prod(out[:-1]))
    emit = Emitter(node)
    taken: list[Term] = []
    totals: list[ir.Value] = []
    for group in _by_matrix(terms):
        found = _experts(emit, group, tokens)
        for members, total in found:
            taken += [group[n] for n in members.members]
            totals.append(total)
    if not totals:
        return 0
    gone = {term.summand for term in taken}
    rest = [v for v in summands if v not in gone and not is_zero(v)]
    result = None
    for value in [*(emit.reshape(total, *out) for total in totals), *rest]:
        result = value if result is None else emit.op("Add", result, value)
    assert result is not None
    return int(replace(node.outputs[0], result))


def _by_matrix(terms: list[Term]) -> list[list[Term]]:
    """Columns of one matrix belong together; so do all weights that are made apart."""
    groups: dict[ir.Value | None, list[Term]] = {}
    for term in terms:
        groups.setdefault(term.column[0] if term.column else None, []).append(term)
    return list(groups.values())


def _experts(emit: Emitter, terms: list[Term], tokens: int) -> list[tuple[ExpertClass, ir.Value]]:
    column = terms[0].column
    if column is None:
        return _apart(emit, terms, tokens)
    matrix = column[0]
    shape = graph_facts.shape_of(matrix)
    assert shape is not None
    experts, numbers = shape[-1], [t.column[1] for t in terms if t.column is not None]
    if int(np.prod(shape[:-1])) != tokens or len(terms) < 2:
        return []
    classes = classify([term.value for term in terms])
    if not classes:
        raise NotLifted("the experts are not computed alike")
    choice = choice_of(emit, matrix, experts)
    found = []
    for members in classes:
        own = [numbers[n] for n in members.members]
        if choice is not None and len(set(numbers)) == len(numbers):
            ids, weights = _flat(emit, choice, tokens)
            ids, chosen = ids_within(emit, ids, weights, own, experts)
            found.append((members, emit_class(emit, members, ids, chosen)))
            continue
        form = "soft" if can_be_zero(matrix) is None else "scored"
        found.append((members, _by_columns(emit, members, terms, tokens, form)))
    return found


def _apart(emit: Emitter, terms: list[Term], tokens: int) -> list[tuple[ExpertClass, ir.Value]]:
    """Weights that are no columns of one matrix: experts where they can be zero, else ordinary."""
    terms_with_zeros = [t for t in terms if can_be_zero(t.weight) is not None]
    if not terms_with_zeros:
        return []
    found = []
    picks = [_picked(term.weight) for term in terms_with_zeros]
    if (choice := _one_choice(picks)) is not None:
        ids, weights = _flat(emit, choice, tokens)
        numbers = [pick[2] for pick in picks if pick is not None]
        experts = max(numbers) + 1
        if not distinct_ids(choice[0], experts):
            experts += 1  # there may be ids that none of the terms has
        for members in classify([term.value for term in terms_with_zeros]):
            own = [numbers[n] for n in members.members]
            inside, chosen = ids_within(emit, ids, weights, own, experts)
            places = [terms.index(terms_with_zeros[n]) for n in members.members]
            total = emit_class(emit, members, inside, chosen)
            found.append((ExpertClass(members.template, places), total))
        return found
    classes = classify([term.value for term in terms_with_zeros])
    form = "scored" if sum(len(members.members) for members in classes) > 1 else "conditional"
    for members in classes:
        total = _by_columns(emit, members, terms_with_zeros, tokens, form)
        places = [terms.index(terms_with_zeros[n]) for n in members.members]
        found.append((ExpertClass(members.template, places), total))
    return found


def _picked(weight: ir.Value) -> tuple[ir.Value, ir.Value, int] | None:
    """Return (ids, w, e) when the weight of a token is the sum of w where the ids are e."""
    summed = graph_facts.made_by(graph_facts.before_reshapes(weight), "ReduceSum")
    product = graph_facts.made_by(summed.inputs[0], "Mul") if summed is not None else None
    if summed is None or product is None:
        return None
    for mask, weights in (product.inputs, tuple(reversed(product.inputs))):
        cast = graph_facts.made_by(mask, "Cast")
        equal = graph_facts.made_by(cast.inputs[0], "Equal") if cast is not None else None
        if equal is None or weights is None:
            continue
        number = graph_facts.ints_of(equal.inputs[1])
        ids, shape = equal.inputs[0], graph_facts.shape_of(weights)
        if ids is None or number is None or len(number) != 1 or number[0] < 0:
            continue
        axes = graph_facts.axes_of(summed)
        if shape is not None and graph_facts.shape_of(ids) == shape and axes == [len(shape) - 1]:
            return ids, weights, number[0]
    return None


def _one_choice(
    picks: Sequence[tuple[ir.Value, ir.Value, int] | None],
) -> tuple[ir.Value, ir.Value] | None:
    """Return ids and weights when all weights are picked from the same ones, for other experts."""
    first = picks[0]
    if first is None or len({pick[2] for pick in picks if pick is not None}) != len(picks):
        return None
    for pick in picks:
        if pick is None or not graph_facts.same_elements(pick[0], first[0]):
            return None
        if not graph_facts.same_elements(pick[1], first[1]):
            return None
    return first[0], first[1]


def _by_columns(
    emit: Emitter, members: ExpertClass, terms: list[Term], tokens: int, form: str
) -> ir.Value:
    """Weigh each expert of a class by its own column; zero means that it is skipped."""
    columns = [terms[n].column for n in members.members]
    whole = columns[0][0] if columns[0] is not None else None
    experts = (graph_facts.shape_of(whole) or (0,))[-1]
    if whole is not None and columns == [(whole, e) for e in range(experts)]:
        scores = emit.reshape(with_shape(whole, (tokens, experts)), tokens, experts)
    else:
        each = [emit.reshape(terms[n].weight, tokens, 1) for n in members.members]
        scores = each[0] if len(each) == 1 else emit.op("Concat", *each, axis=1)
    if form == "soft":
        ids = every_expert(emit, tokens, len(columns))
    else:
        ids = where_not_zero(emit, scores)
    return emit_class(emit, members, ids, scores, form)


def _flat(
    emit: Emitter, choice: tuple[ir.Value, ir.Value], tokens: int
) -> tuple[ir.Value, ir.Value]:
    ids, weights = choice
    shape = (tokens, (graph_facts.size_of(ids) or 0) // tokens)
    ids = emit.cast(emit.reshape(with_shape(ids, shape), *shape), ir.DataType.INT64)
    return ids, emit.reshape(with_shape(weights, shape), *shape)
