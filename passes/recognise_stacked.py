"""Recognise experts whose outputs are stacked for every token, and the chosen ones gathered."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts, regions
from edgemoe.anti_unify import AntiUnifier
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.expert_classes import dense_rows
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.routing_matrix import distinct_ids
from edgemoe.row_source import with_shape
from edgemoe.template_rows import NotLifted


@graph_pass(phase="recognise", exact="reassociation")
def recognise_stacked(model: ir.Model, context: PassContext) -> int:
    """Compute only the outputs that are gathered from a stack of all experts' outputs.

    Given:  s = Concat(f_0(x), f_1(x), ..): f32[T,E,H]; y = GatherElements(s, ids: i64[T,K,H])
    Result: y = Reshape(f(Dispatch(x, ids), ids), [T,K,H]), f of `ExpertLinear`
    """
    changes = 0
    for node in list(model.graph):
        concat = graph_facts.made_by(node.inputs[0], "Concat") if node.inputs else None
        if concat is None or not graph_facts.is_op(node, "GatherElements"):
            continue
        shape = graph_facts.shape_of(concat.outputs[0])
        stacks = shape is not None and len(shape) == 3 and shape[1] == len(concat.inputs)
        if not stacks or graph_facts.axis_of(concat, 0, 3) != 1:
            continue
        if graph_facts.axis_of(node, 0, 3) != 1:
            continue
        try:
            changes += _rewrite(node, concat)
        except NotLifted as reason:
            context.notes.append(
                Note("missed", "experts",
                     f"{len(concat.inputs)} stacked experts are computed for every token: {reason}",
                     node.name or "", graph_facts.origin_of(node), {"dense": True})
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _rewrite(node: ir.Node, concat: ir.Node) -> int:
    index = node.inputs[1]
    shape = graph_facts.shape_of(index)
    stacked = graph_facts.shape_of(concat.outputs[0])
    assert index is not None and shape is not None and stacked is not None
    experts = len(concat.inputs)
    ids = _ids_of(index, shape)
    if shape[0] != stacked[0] or shape[2] != stacked[2] or ids is None:
        raise NotLifted(f"{index.name} does not choose whole outputs")
    if not distinct_ids(ids, experts):
        raise NotLifted(f"{ids.name} is no choice of distinct experts among {experts}")
    values = [v for v in concat.inputs if v is not None]
    outputs = [with_shape(v, (shape[0], shape[2])) for v in values]
    template = AntiUnifier().unify(outputs)
    if template is None or template.kind != "op":
        raise NotLifted("the experts are not computed alike")
    emit = Emitter(node)
    matrix = emit.cast(emit.reshape(with_shape(ids, shape[:2]), *shape[:2]), ir.DataType.INT64)
    rows = dense_rows(emit, matrix, list(range(experts)))
    replace(node.outputs[0], emit.reshape(rows.lift(template), *shape))
    return 1


def _ids_of(index: ir.Value, shape: tuple[int, ...]) -> ir.Value | None:
    """Return ids [T, K] when index [T, K, H] repeats them over H; proven by moving numbers."""
    tokens, chosen, _ = shape
    value: ir.Value | None = index
    while value is not None:
        if graph_facts.size_of(value) == tokens * chosen:
            numbers = np.arange(tokens * chosen, dtype=np.int64)
            source = graph_facts.shape_of(value)
            assert source is not None
            moved = constant_eval.evaluate([index], {value: numbers.reshape(source)})[0]
            expected = np.broadcast_to(numbers.reshape(tokens, chosen, 1), shape)
            return value if np.array_equal(moved, expected) else None
        node = value.producer()
        if node is None or not graph_facts.is_op(node, *graph_facts.MOVEMENTS):
            return None
        if any(not graph_facts.is_constant(v) for v in node.inputs[1:] if v is not None):
            return None
        value = node.inputs[0]
    return None
