"""Where a region, or a weighted sum that is no region, gets its routing from."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.expert_classes import FORM
from edgemoe.routing import RouterSite
from edgemoe.row_source import gathered_ids, with_shape


def router_site(node: ir.Node) -> RouterSite | None:
    """Return the site of a region, or of a `Combine` outside of regions; None for other nodes."""
    if graph_facts.kind_of(node) == "Combine":
        return _of_sum(node)
    if graph_facts.kind_of(node) != "MoE":
        return None
    routing = node.inputs[1]
    shape = graph_facts.shape_of(routing) or (0, 0)
    if node.metadata_props.get("edgemoe.routing") == "scored":
        return RouterSite(shape[0], shape[1], scores=routing, form="scored", x=node.inputs[0])
    experts = int(node.metadata_props.get("edgemoe.experts", "0"))
    rows = shape[0] * shape[1]
    factors = tuple(
        value
        for value in node.inputs[3:]
        if value is not None and value.producer() is not None and graph_facts.size_of(value) == rows
    )
    return RouterSite(
        shape[0], experts, shape[1], ids=routing, weights=node.inputs[2],
        scores=_scores(routing, node.inputs[2]), factors=factors,
        form=node.metadata_props.get("edgemoe.form", "indexed"), x=node.inputs[0],
    )  # fmt: skip


def _scores(ids: ir.Value | None, weights: ir.Value | None) -> ir.Value | None:
    """Return the scores [T, E] when the ids say where they are not zero."""
    where = graph_facts.made_by(ids, "Where")
    equal = graph_facts.made_by(where.inputs[0], "Equal") if where is not None else None
    if equal is None or graph_facts.scalar_of(equal.inputs[1]) != 0 or weights is None:
        return None
    source = equal.inputs[0]
    return weights if source is not None and graph_facts.same_elements(source, weights) else None


def _of_sum(node: ir.Node) -> RouterSite | None:
    y, weights = node.inputs
    shape = graph_facts.shape_of(weights)
    found = _ids_behind(y)
    if shape is None or found is None or graph_facts.size_of(found[0]) != shape[0] * shape[1]:
        return None
    ids = with_shape(found[0], shape)
    form = node.metadata_props.get(FORM, "indexed")
    return RouterSite(shape[0], found[1], shape[1], ids=ids, weights=weights, form=form)


def _ids_behind(y: ir.Value | None, limit: int = 200) -> tuple[ir.Value, int] | None:
    """Return the ids of the nearest expert product or table, and how many experts it has."""
    todo, seen = [y], set[ir.Node]()
    while todo and len(seen) < limit:
        current = todo.pop(0)
        node = current.producer() if current is not None else None
        if node is None or node in seen:
            continue
        seen.add(node)
        if graph_facts.kind_of(node) in regions.EXPERT_LINEARS and node.inputs[1] is not None:
            return node.inputs[1], (graph_facts.shape_of(node.inputs[2]) or (0,))[0]
        ids = gathered_ids(node, rank=2)
        if ids is not None:
            return ids, (graph_facts.shape_of(node.inputs[0]) or (0,))[0]
        todo.extend(node.inputs)
    return None
