"""Recognise experts on rows that were sorted into groups (grouped_mm, torchtitan)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.routing_matrix import before_integer_casts, distinct_ids
from edgemoe.sorted_rows import NotSorted, SortedRows


@graph_pass(phase="recognise", exact="reassociation")
def recognise_grouped(model: ir.Model, context: PassContext) -> int:
    """Drop the sorting of rows by expert, and make one product per layer of the groups' products.

    Given:  s, p = TopK(ids, S) {largest=0}; g = Concat(x[p//K][0:o1] @ W0, x[p//K][o1:o2] @ W1);
            y = Gather(g, inverse of p)
    Result: y = ExpertLinearT(Dispatch(x, ids), ids, *W)
    """
    changes = 0
    for node in list(model.graph):
        sort = _sort_undone_by(node)
        if sort is None or node.inputs[0] is None:
            continue
        experts = _experts(sort)
        try:
            if experts is None:
                raise NotSorted("the sorted ids are no choice of a TopK")
            lifted = SortedRows(Emitter(node), sort, experts).lift(node.inputs[0])
        except NotSorted as reason:
            context.notes.append(
                Note("missed", "experts", f"rows sorted by expert stay sorted: {reason}",
                     node.name or "", graph_facts.origin_of(node))
            )  # fmt: skip
            remove_dead_nodes(model.graph)
            continue
        changes += replace(node.outputs[0], lifted)
    if changes:
        regions.add_bodies(model)
    return changes


def _sort_undone_by(node: ir.Node) -> ir.Node | None:
    """Return the sort when `node` gathers rows by the inverse of its order."""
    if not graph_facts.is_op(node, "GatherND", "Gather"):
        return None
    index = node.inputs[1]
    inverse = graph_facts.before_reshapes(index).producer() if index is not None else None
    if inverse is None or not graph_facts.is_op(inverse, "ScatterND", "ScatterElements"):
        return None
    order = graph_facts.before_reshapes(inverse.inputs[1]) if inverse.inputs[1] else None
    sort = graph_facts.made_by(order, "TopK")
    if sort is None or order is None or order.index() != 1:
        return None
    rows = graph_facts.size_of(order)
    ascending = not graph_facts.attribute(sort, "largest", 1)
    if rows is None or rows != graph_facts.size_of(sort.inputs[0]) or not ascending:
        return None
    if len(graph_facts.shape_of(order) or ()) != 1:
        return None
    turned = np.arange(rows, dtype=np.int64)[::-1].copy()
    shifted = np.roll(np.arange(rows, dtype=np.int64), 1)
    for trial in (turned, shifted):
        (found,) = constant_eval.evaluate([inverse.outputs[0]], {order: trial})
        if not np.array_equal(found.reshape(-1), np.argsort(trial)):
            return None
    return sort


def _experts(sort: ir.Node) -> int | None:
    """Return E when the ids are choices among E scores, by one TopK or by several in a row."""
    value = sort.inputs[0]
    return None if value is None else _classes(value)


def _classes(ids: ir.Value) -> int | None:
    value = before_integer_casts(ids)
    node = value.producer()
    if node is None:
        return None
    if graph_facts.is_op(node, "Concat"):
        counts = {_classes(part) for part in node.inputs if part is not None}
        return counts.pop() if len(counts) == 1 else None
    shape = graph_facts.shape_of(node.inputs[0]) if node.inputs else None
    return shape[-1] if shape and distinct_ids(value, shape[-1]) else None
