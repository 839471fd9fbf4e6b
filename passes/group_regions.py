"""Group the expert products of one layer, and what lies between them, into a region."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.outline import free_name, outline
from edgemoe.region_body import NotRowWise, RegionBody
from edgemoe.row_source import with_shape


@graph_pass(
    phase="recognise",
    after=(
        "recognise_batched",
        "recognise_combine",
        "recognise_dense_loops",
        "recognise_grouped",
        "recognise_scaled_inputs",
        "recognise_scatter_loops",
    ),
    exact="reassociation",
)
def group_regions(model: ir.Model, context: PassContext) -> int:
    """Outline everything from `Dispatch` to `Combine` as one function per layer.

    Given:  h = Relu(ExpertLinear(Dispatch(x, ids), ids, *W)); z = Combine(ExpertLinear(h, ..), w)
    Result: z = MoE_0(x, ids, w, *W, ...)
    """
    changes = 0
    for node in list(model.graph):
        if graph_facts.kind_of(node) == "Combine":
            try:
                changes += _group(model, node, context)
            except NotRowWise as reason:
                context.notes.append(
                    Note("missed", "experts", f"the experts stay separate: {reason}",
                         node.name or "", graph_facts.origin_of(node))
                )  # fmt: skip
                remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _group(model: ir.Model, node: ir.Node, context: PassContext) -> int:
    y, weights = node.inputs
    assert y is not None and weights is not None
    shape = graph_facts.shape_of(weights)
    assert shape is not None
    tokens, chosen = shape
    linear = _last_linear(y, tokens * chosen)
    emit = Emitter(node)
    flat = linear.inputs[1]
    assert flat is not None
    ids = emit.cast(with_shape(flat, (tokens, chosen)), ir.DataType.INT64)
    ids = emit.reshape(ids, tokens, chosen)
    body = RegionBody(emit, tokens, chosen, ids, weights)
    rows = emit.reshape(body.lift(y), tokens * chosen, (graph_facts.shape_of(y) or (0, 0))[1])
    total = regions.combine(emit, rows, weights)
    if body.x is None:
        raise NotRowWise("nothing is dispatched to the experts")
    total.name, node.outputs[0].name = node.outputs[0].name, f"{node.outputs[0].name}.replaced"
    node.outputs[0].replace_all_uses_with(total, replace_graph_outputs=True)
    weight = body.weight_inputs[0]
    experts = (graph_facts.shape_of(weight) or (0,))[0]
    metadata = {
        "edgemoe.routing": "indexed",
        "edgemoe.body": "rowwise" if body.row_wise else "elementwise",
        "edgemoe.experts": str(experts),
        "edgemoe.nodes": "\n".join(dict.fromkeys(reversed(body.covered))),
    }
    name = free_name(model, "MoE")
    call = outline(
        model, name, "MoE", [body.x, ids, weights, *body.weight_inputs, *body.extra],
        ["x", "ids", "weights"], [total], metadata,
    )  # fmt: skip
    text = f"{name}: {experts} experts, {chosen} chosen for each of {tokens} tokens"
    facts = {
        "form": "indexed", "region": name, "E": experts, "k": chosen, "T": tokens,
        "weights": [str(value.name) for value in body.weight_inputs],
    }  # fmt: skip
    context.notes.append(
        Note("matched", "experts", text, node.name or "", graph_facts.origin_of(call), dict(facts))
    )
    return 1


def _last_linear(y: ir.Value, rows: int) -> ir.Node:
    todo, seen = [y], set[ir.Node]()
    while todo:
        node = todo.pop(0).producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        if graph_facts.kind_of(node) in regions.EXPERT_LINEARS:
            if graph_facts.shape_of(node.inputs[1]) != (rows,):
                raise NotRowWise(f"{node.name} does not have {rows} rows")
            return node
        if node.domain != graph_facts.DOMAIN:
            todo.extend(v for v in node.inputs if v is not None)
    raise NotRowWise("no expert product leads here")
