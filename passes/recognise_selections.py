"""Recognise experts between which a condition per token, or for the whole sequence, selects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.expert_classes import classify, emit_class, ids_within
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.template_rows import NotLifted
from edgemoe.zero_scores import is_zero


@dataclass
class Selection:
    """y is values[i] where masks[i] holds and no later mask does, else the base, values[0]."""

    values: list[ir.Value]
    masks: list[ir.Value | None]  # the first is None
    shape: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """T."""
        return int(np.prod(self.shape[:-1]))


@graph_pass(
    phase="recognise",
    after=("recognise_dense_loops", "recognise_gathered", "recognise_scatter_loops"),
    exact="reassociation",
)
def recognise_selections(model: ir.Model, context: PassContext) -> int:
    """Compute for each token only the branch that is selected for it.

    Given:  y = Where(m: bool[T,1], f_1(x), f_0(x))
    Result: ids = Where(m, 1, 0); y = Combine(f(Dispatch(x, ids), ids), 1)
    """
    changes = 0
    for node in list(model.graph):
        found = _selection(node)
        if found is None:
            continue
        try:
            changes += _rewrite(node, found)
        except NotLifted as reason:
            context.notes.append(
                Note("missed", "experts",
                     f"{len(found.values)} branches are computed for every token: {reason}",
                     node.name or "", graph_facts.origin_of(node), {"dense": True})
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _selection(node: ir.Node) -> Selection | None:
    """Follow a chain of Where, from its last node up to its base."""
    shape = graph_facts.shape_of(node.outputs[0])
    if _mask(node, shape) is None or shape is None or len(shape) < 2:
        return None
    output = node.outputs[0]
    user = graph_facts.only_user(output)
    if user is not None and _mask(user, shape) is not None and user.inputs[2] is output:
        return None  # part of a longer chain
    values: list[ir.Value] = []
    masks: list[ir.Value | None] = []
    current: ir.Value | None = output
    while current is not None:
        inner = current.producer()
        mask = _mask(inner, shape) if inner is not None else None
        alone = current is output or graph_facts.only_user(current) is not None
        if inner is None or mask is None or not alone or inner.inputs[1] is None:
            values.append(current)
            masks.append(None)
            break
        values.append(inner.inputs[1])
        masks.append(mask)
        current = inner.inputs[2]
    if any(v is None or graph_facts.shape_of(v) != shape for v in values):
        values = [v for v in values if v is not None]
        if any(graph_facts.shape_of(v) != shape and not is_zero(v) for v in values):
            return None
    return Selection(values[::-1], masks[::-1], shape)


def _mask(node: ir.Node | None, shape: tuple[int, ...] | None) -> ir.Value | None:
    """Return the condition of a Where that is the same along a row."""
    if node is None or shape is None or not graph_facts.is_op(node, "Where"):
        return None
    condition = node.inputs[0]
    own = graph_facts.shape_of(condition)
    if own is None or graph_facts.is_constant(condition) or len(own) > len(shape):
        return None
    return condition if int(np.prod(own)) == 1 or own[-1] == 1 else None


def _rewrite(node: ir.Node, found: Selection) -> int:
    classes = classify(found.values)
    if not classes:
        return 0
    alone = sum(len(members.members) for members in classes) == 1
    form = "conditional" if alone else "selected"
    emit, tokens, count = Emitter(node), found.tokens, len(found.values)
    inside = {n for members in classes for n in members.members}
    ids = _ids(emit, found, inside)
    totals = []
    for members in classes:
        own, weights = ids_within(emit, ids, None, members.members, count)
        if weights is None and len(inside) < count:
            weights = _somebody(emit, own)
        totals.append(emit.reshape(emit_class(emit, members, own, weights, form), *found.shape))
    result = _others(emit, found, inside)
    for total in totals:
        result = total if result is None else emit.op("Add", result, total)
    assert result is not None and tokens
    return int(replace(node.outputs[0], result))


def _ids(emit: Emitter, found: Selection, inside: set[int]) -> ir.Value:
    """Return which value each token gets, [T, 1]; -1 for those that are no experts."""

    def number(n: int) -> ir.Value:
        return emit.constant(np.array(n if n in inside else -1, np.int64), "number")

    shape = (*found.shape[:-1], 1)
    ids = emit.op("Expand", number(0), emit.ints(*shape))
    for n, mask in enumerate(found.masks):
        if mask is not None:
            ids = emit.op("Where", mask, number(n), ids)
    return emit.reshape(ids, found.tokens, 1)


def _somebody(emit: Emitter, ids: ir.Value) -> ir.Value:
    there = emit.op("GreaterOrEqual", ids, emit.constant(np.array(0, np.int64), "zero"))
    return emit.cast(there, ir.DataType.FLOAT)


def _others(emit: Emitter, found: Selection, inside: set[int]) -> ir.Value | None:
    """Return the chain with zeros in the place of the experts; None where nothing else is left."""
    rest = [n for n in range(len(found.values)) if n not in inside]
    if all(is_zero(found.values[n]) for n in rest):
        return None
    zero = emit.constant(np.array(0, np.float32), "zero")
    zero = emit.cast(zero, found.values[rest[0]].dtype or ir.DataType.FLOAT)
    result = zero if 0 in inside else found.values[0]
    for n, mask in enumerate(found.masks):
        if mask is not None:
            result = emit.op("Where", mask, zero if n in inside else found.values[n], result)
    if graph_facts.shape_of(result) != found.shape:
        result = emit.op("Expand", result, emit.ints(*found.shape))
    return result
