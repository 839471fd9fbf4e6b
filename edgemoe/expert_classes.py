"""Experts that need not be alike: the same computation with other weights makes a class.

Every class becomes one set of expert products. A token whose expert is of another class has the id
-1 there, which kernels skip; its weight is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.anti_unify import AntiUnifier, Template
from edgemoe.emit import Emitter
from edgemoe.row_source import with_shape
from edgemoe.single_template import single_template
from edgemoe.template_rows import NotLifted, TemplateRows, emit_combine

FORM = "edgemoe.form"  # on a Combine: how the experts are chosen, where it is not "indexed"

CHEAP = 8
"""An expert with so much less work than the largest of its layer is computed for every token."""


@dataclass
class ExpertClass:
    """Experts with one template; `members` are their places among the values that came in."""

    template: Template
    members: list[int]

    @property
    def work(self) -> int:
        """Multiply-accumulates of one expert for one row."""
        weights = {id(p.children[1]): p.children[1] for p in products(self.template)}
        return sum(graph_facts.size_of(w.value) or 0 for w in weights.values() if w is not None)


def products(template: Template) -> list[Template]:
    """Return the products with a matrix, or of rows, that differ from expert to expert."""

    def is_product(part: Template) -> bool:
        rows, weight = part.children[:2] if part.is_op("Gemm", "MatMul") else (None, None)
        if weight is None:
            return False
        matrix = len(graph_facts.shape_of(weight.value) or ()) == 2
        modulated = rows is not None and bool(rows.find(lambda inner: inner.kind == "parameter"))
        return matrix and (weight.kind == "parameter" or modulated)

    return template.find(is_product)


def share_equal(template: Template) -> None:
    """Let a weight that is the same in all copies be one, where other weights differ.

    The older exporter writes a transposed copy of a shared matrix for each time that it is used.
    """
    weights = {
        id(part.children[1]): part.children[1] for part in products(template)
        if part.children[1] is not None and part.children[1].kind == "parameter"
    }  # fmt: skip
    equal = [weight for weight in weights.values() if _all_equal(weight)]
    if len(equal) == len(weights):
        return  # experts that are still alike, as after upcycling
    for weight in equal:
        weight.kind, weight.values = "shared", weight.values[:1] * len(weight.values)
        for part in products(template) + template.find(lambda part: part.is_op("Gemm")):
            bias = part.children[2] if len(part.children) > 2 else None
            if part.children[1] is not weight:
                continue
            if bias is not None and bias.kind == "parameter" and _all_equal(bias):
                bias.kind, bias.values = "shared", bias.values[:1] * len(bias.values)


def _all_equal(weight: Template) -> bool:
    if len(weight.values) < 2:
        return False
    first, *others = (value.const_value for value in weight.values)
    if first is None or any(other is None for other in others):
        return False
    if any(other is not first for other in others):
        head = first.numpy()
        return all(np.array_equal(head, other.numpy()) for other in others if other is not None)
    return True


def classify(values: Sequence[ir.Value]) -> list[ExpertClass]:
    """Sort experts into classes; those without products, or with next to none, are left out."""
    groups: list[list[int]] = []
    for number, value in enumerate(values):
        for group in groups:
            if AntiUnifier().unify([values[group[0]], value]) is not None and _tokens_only(value):
                group.append(number)
                break
        else:
            groups.append([number])
    found: list[ExpertClass] = []
    for group in groups:
        template = (
            AntiUnifier().unify([values[n] for n in group])
            if len(group) > 1
            else single_template(values[group[0]])
        )
        if template is not None and products(template):
            share_equal(template)
            found.append(ExpertClass(template, group))
    most = max((c.work for c in found), default=0)
    found = [c for c in found if c.work * CHEAP > most]
    alone = len(found) == 1 and len(found[0].members) == 1
    # A single product under a condition is a masked product, and no expert.
    return [] if alone and len(products(found[0].template)) < 2 else found


def _tokens_only(value: ir.Value) -> bool:
    return value.producer() is not None


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


def emit_class(
    emit: Emitter, members: ExpertClass, ids: ir.Value, weights: ir.Value | None, form: str = ""
) -> ir.Value:
    """Emit the experts of a class and their weighted sum [T, H].

    Args:
        emit: where.
        members: the class.
        ids: int64 [T, K], numbers inside the class, -1 where nobody of it is chosen.
        weights: [T, K], 0 where the id is -1; None for ones.
        form: what `explain` calls it, "" for indexed.

    Raises:
        NotLifted: the body is not understood.
    """
    tokens, chosen = graph_facts.shape_of(ids) or (0, 0)
    rows = dense_rows(emit, ids, list(range(len(members.members))))
    total = emit_combine(rows, rows.lift(members.template), weights, tokens, chosen)
    producer = total.producer()
    if form and producer is not None:
        producer.metadata_props[FORM] = form
    return total


def ids_within(
    emit: Emitter, ids: ir.Value, weights: ir.Value | None, members: Sequence[int], experts: int
) -> tuple[ir.Value, ir.Value | None]:
    """Renumber ids [T, K] for the experts `members`; others become -1, with weight 0.

    Ids outside of [0, experts) are nobody, and stay it.
    """
    if list(members) == list(range(experts)):
        return ids, weights
    table = np.full(experts + 2, -1, np.int64)  # the first and the last row are for those outside
    table[[member + 1 for member in members]] = np.arange(len(members))
    low, high = (emit.constant(np.array(n, np.int64), "limit") for n in (-1, experts))
    row = emit.op("Clip", ids, low, high)
    row = emit.op("Add", row, emit.constant(np.array(1, np.int64), "one"))
    own = emit.op("Gather", emit.constant(table, "own"), row, axis=0)
    shape = graph_facts.shape_of(ids) or (0, 0)
    there = emit.op("GreaterOrEqual", own, emit.constant(np.array(0, np.int64), "zero"))
    if weights is None:
        return own, emit.cast(there, ir.DataType.FLOAT)
    weights = emit.reshape(with_shape(weights, shape), *shape)
    dtype = (weights.dtype or ir.DataType.FLOAT).numpy()
    return own, emit.op("Where", there, weights, emit.constant(np.array(0, dtype), "zero"))


def every_expert(emit: Emitter, tokens: int, experts: int) -> ir.Value:
    """Return ids [T, E] that choose all experts."""
    numbers = np.broadcast_to(np.arange(experts, dtype=np.int64), (tokens, experts))
    return emit.constant(np.ascontiguousarray(numbers), "every")


def where_not_zero(emit: Emitter, scores: ir.Value) -> ir.Value:
    """Return ids [T, E]: e where scores[t, e] is not zero, else -1."""
    tokens, experts = graph_facts.shape_of(scores) or (0, 0)
    zero = emit.constant(np.array(0, (scores.dtype or ir.DataType.FLOAT).numpy()), "zero")
    nobody = emit.constant(np.array(-1, np.int64), "nobody")
    return emit.op("Where", emit.op("Equal", scores, zero), nobody,
                   every_expert(emit, tokens, experts))  # fmt: skip
