"""Recognise experts on slots: capacity, expert choice, soft slots; batched or one after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.anti_unify import AntiUnifier, Template
from edgemoe.batched_body import BatchedBody, Layout, NotBatched, product_parts
from edgemoe.batched_targets import ChosenRows
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.expert_classes import FORM, products
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.slots import is_routed, slot_ids, slots_in_use, source_of_slices
from edgemoe.template_rows import NotLifted, TemplateRows


@graph_pass(
    phase="recognise",
    after=("recognise_batched", "recognise_scaled_inputs", "recognise_stacked"),
    exact="reassociation",
)
def recognise_slots(model: ir.Model, context: PassContext) -> int:
    """Turn products of slots with one matrix per expert into expert products on rows.

    Given:  s = Einsum(d, x) {sec,sm->ecm}; y = MatMul(Relu(MatMul(s, *W1)), *W2): f32[E,C,H]
    Result: y = Reshape(Combine(ExpertLinearT(.., ids), 1), [E,C,H]), ids -1 for unread slots
    """
    changes = 0
    for node in list(model.graph):
        try:
            if graph_facts.is_op(node, "Concat"):
                changes += _listed(node)
            elif graph_facts.is_op(node, "MatMul", "Einsum"):
                changes += _batched(node)
        except (NotBatched, NotLifted) as reason:
            context.notes.append(
                Note("missed", "experts", f"experts on slots stay batched products: {reason}",
                     node.name or "", graph_facts.origin_of(node))
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


@dataclass
class _SlotBody(BatchedBody):
    """A batched body whose rows differ from expert to expert."""

    def _lift(self, value: ir.Value, layout: Layout) -> ir.Value:
        shape = graph_facts.shape_of(value)
        if (
            shape is not None and len(shape) == 3 and shape[0] == self.experts
            and is_routed(value, self.experts)
        ):  # fmt: skip
            target = self.target
            assert isinstance(target, ChosenRows)
            rows = target.emit.reshape(value, self.experts * self.tokens, shape[2])
            return regions.dispatch(target.emit, rows, target.ids)
        return super()._lift(value, layout)


def _batched(node: ir.Node) -> int:
    shape = graph_facts.shape_of(node.outputs[0])
    if shape is None or len(shape) != 3 or not any(map(graph_facts.is_constant, node.inputs)):
        return 0
    experts, capacity, _ = shape
    try:
        _, _, layout = product_parts(node, experts)
    except NotBatched:
        return 0
    end = node.outputs[0]
    if experts < 2 or layout != Layout(0) or _goes_on(end, experts):
        return 0
    if not _starts_routed(end, experts):
        return 0
    end = _with_bias(end, experts)
    last = end.producer()
    assert last is not None
    return _emit(last, end, experts, capacity, None)


def _goes_on(value: ir.Value, experts: int) -> bool:
    """Tell whether another product of all experts reads this, elementwise operators aside."""
    for use in value.uses():
        if graph_facts.is_op(use.node, "MatMul", "Einsum"):
            try:
                product_parts(use.node, experts)
            except NotBatched:
                continue
            return True
        along = graph_facts.is_op(use.node, "Split", *graph_facts.ELEMENTWISE)
        if along and any(_goes_on(output, experts) for output in use.node.outputs):
            return True
    return False


def _starts_routed(value: ir.Value, experts: int) -> bool:
    todo, seen = [value], set[ir.Node]()
    while todo:
        current = todo.pop()
        node = current.producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        if graph_facts.is_op(node, "MatMul", "Einsum"):
            try:
                rows, _, _ = product_parts(node, experts)
            except NotBatched:
                return is_routed(current, experts)
            if is_routed(rows, experts):
                return True
            todo.append(rows)
        elif graph_facts.is_op(node, "Split", *graph_facts.ELEMENTWISE):
            todo.extend(v for v in node.inputs if v is not None)
    return False


def _with_bias(value: ir.Value, experts: int) -> ir.Value:
    user = graph_facts.only_user(value)
    if user is None or not graph_facts.is_op(user, "Add"):
        return value
    bias = graph_facts.other_input(user, value)
    shape = graph_facts.shape_of(bias)
    per_expert = shape is not None and len(shape) == 3 and shape[:2] == (experts, 1)
    return user.outputs[0] if per_expert and graph_facts.is_constant(bias) else value


def _emit(
    node: ir.Node, end: ir.Value, experts: int, capacity: int, template: Template | None
) -> int:
    """Emit rows, their experts, and a sum of one choice for each slot."""
    emit = Emitter(node)
    users = [use.node for use in end.uses()]
    order = {n: i for i, n in enumerate(emit.graph)}
    # What says which slots are in use may be computed later than the experts are.
    anchor = min((u for u in users if u in order), key=lambda u: order[u], default=node)
    emit = Emitter(anchor)
    slots = experts * capacity
    ids = slot_ids(emit, experts, capacity, slots_in_use(emit, end, slots))
    if template is None:
        rows = ChosenRows(emit, ids, capacity)
        y = _SlotBody(capacity, experts, rows).lift(end, Layout(0))
    else:
        y = _template_rows(emit, ids, capacity, experts).lift(template)
    shape = graph_facts.shape_of(end)
    assert shape is not None
    y = emit.reshape(y, slots, int(np.prod(shape)) // slots)
    ones = np.ones((slots, 1), (y.dtype or ir.DataType.FLOAT).numpy())
    total = regions.combine(emit, y, emit.constant(ones, "ones"))
    producer = total.producer()
    assert producer is not None
    producer.metadata_props[FORM] = "slotted"
    return int(replace(end, emit.reshape(total, *shape)))


def _listed(node: ir.Node) -> int:
    """Concat over e of f_e(slots[e])."""
    values = [v for v in node.inputs if v is not None]
    shape = graph_facts.shape_of(node.outputs[0])
    experts = len(values)
    axis = graph_facts.axis_of(node, 0, len(shape or ()))
    if shape is None or experts < 2 or axis != 0 or len(set(values)) != experts:
        return 0
    inner = [graph_facts.before_reshapes(v) for v in values]
    template = AntiUnifier().unify(inner)
    if template is None or template.kind != "op" or not products(template):
        return 0
    own = graph_facts.shape_of(inner[0]) or ()
    capacity = int(np.prod(own[:-1]))
    sources = template.find(lambda part: _slices(part, experts) is not None)
    if not sources or shape[-1:] != own[-1:]:
        return 0
    source = _slices(sources[0], experts)
    if not is_routed(source, experts):
        return 0
    return _emit(node, node.outputs[0], experts, capacity, template)


def _slices(part: Template, experts: int) -> ir.Value | None:
    """Return x [E, ..] where the copies read x[0], x[1], .. in order."""
    if not part.is_op("Gather", "Slice", "Split", *graph_facts.RESHAPES):
        return None
    return source_of_slices(list(part.values), experts)


def _template_rows(emit: Emitter, ids: ir.Value, capacity: int, experts: int) -> TemplateRows:
    rows = capacity * experts

    def lead(part: Template) -> int:
        shape = graph_facts.shape_of(part.value) or ()
        for count in range(1, len(shape) + 1):
            if int(np.prod(shape[:count])) == capacity and count < len(shape):
                return count
        raise NotLifted(f"{part.value.name} with shape {shape} has no axis for the slots")

    def leaf(part: Template) -> ir.Value | None:
        source = _slices(part, experts) if part.kind == "op" else None
        if source is None:
            return None
        inner = (graph_facts.shape_of(part.value) or ())[lead(part) :]
        width = int(np.prod(inner))
        dispatched = regions.dispatch(emit, emit.reshape(source, rows, width), ids)
        return emit.reshape(dispatched, rows, *inner)

    return TemplateRows(emit, ids, rows, list(range(experts)), leaf, lead)
