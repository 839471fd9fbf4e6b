"""Group the expert products of one layer, and what lies between them, into a region."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter
from edgemoe.expert_classes import FORM
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.outline import free_name, outline
from edgemoe.region_body import NotRowWise, RegionBody
from edgemoe.row_source import gathered_ids, with_shape


@graph_pass(
    phase="recognise",
    after=(
        "recognise_batched",
        "recognise_combine",
        "recognise_dense_loops",
        "recognise_grouped",
        "recognise_scaled_inputs",
        "recognise_scatter_loops",
        "recognise_selections",
        "recognise_slots",
        "recognise_stacked_sums",
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
            if _noted_apart(node, context):
                continue
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
    _read_first(body, total)
    total.name, node.outputs[0].name = node.outputs[0].name, f"{node.outputs[0].name}.replaced"
    node.outputs[0].replace_all_uses_with(total, replace_graph_outputs=True)
    weight = body.weight_inputs[0]
    experts = (graph_facts.shape_of(weight) or (0,))[0]
    metadata = {
        "edgemoe.routing": "indexed",
        "edgemoe.form": node.metadata_props.get(FORM, "indexed"),
        "edgemoe.body": "rowwise" if body.row_wise else "elementwise",
        "edgemoe.experts": str(experts),
        "edgemoe.nodes": "\n".join(dict.fromkeys(reversed(body.covered))),
    }
    name = free_name(model, "MoE")
    call = outline(
        model, name, "MoE", [body.x, ids, weights, *body.weight_inputs, *body.extra],
        ["x", "ids", "weights"], [total], metadata,
    )  # fmt: skip
    form = metadata["edgemoe.form"]
    text = f"{name}: {experts} experts, {_how(form, chosen, tokens)}"
    facts = {
        "form": form, "region": name, "E": experts, "k": chosen, "T": tokens,
        "weights": [str(value.name) for value in body.weight_inputs],
    }  # fmt: skip
    context.notes.append(
        Note("matched", "experts", text, node.name or "", graph_facts.origin_of(call), dict(facts))
    )
    return 1


def _read_first(body: RegionBody, total: ir.Value) -> None:
    """Let the region's tokens be those that the first products read, not those added later."""
    for inner in graph_facts.ancestors([total]):
        if graph_facts.kind_of(inner) not in regions.EXPERT_LINEARS or inner.inputs[0] is None:
            continue
        rows = graph_facts.before_reshapes(inner.inputs[0])
        dispatch = graph_facts.called_by(rows, "Dispatch")
        tokens = dispatch.inputs[0] if dispatch is not None else None
        if tokens in body.extra and tokens is not None and body.x is not None:
            body.extra.remove(tokens)
            body.extra.insert(0, body.x)
            body.x = tokens
            return


def _how(form: str, chosen: int, tokens: int) -> str:
    """Say in words which experts a token goes through."""
    return {
        "indexed": f"{chosen} chosen for each of {tokens} tokens",
        "selected": f"one or none selected for each of {tokens} tokens",
        "conditional": f"for those of {tokens} tokens that a condition selects",
        "scored": f"skipped where the score is zero, for {tokens} tokens",
        "soft": f"all of them for each of {tokens} tokens (soft weights)",
        "slotted": f"{tokens} slots in all, empty ones are skipped",
    }[form]


def _noted_apart(node: ir.Node, context: PassContext) -> bool:
    """Note experts that cannot become one region: shared by several sums, or without a matrix."""
    y, weights = node.inputs
    assert y is not None and weights is not None
    tokens, chosen = graph_facts.shape_of(weights) or (0, 0)
    facts: dict[str, object]
    sums = sums_over(y)
    if len(sums) > 1:
        linear = _last_linear(y, tokens * chosen)
        weight = linear.inputs[2]
        experts = (graph_facts.shape_of(weight) or (0,))[0]
        if node is sums[0]:
            form = node.metadata_props.get(FORM, "soft")
            facts = {"form": form, "E": experts, "k": chosen, "T": tokens, "sums": len(sums),
                     "weights": [str(weight.name)] if weight is not None else []}  # fmt: skip
            text = f"{experts} experts, weighed in {len(sums)} ways: computed once"
            origin = graph_facts.origin_of(linear)
            context.notes.append(Note("matched", "experts", text, node.name or "", origin, facts))
        return True
    tables = modulated(y)
    if tables:
        experts = (graph_facts.shape_of(tables[0]) or (0,))[0]
        facts = {"form": "modulated", "E": experts, "k": chosen, "T": tokens,
                 "weights": [str(table.name) for table in tables]}  # fmt: skip
        text = f"{experts} experts share their products and scale or shift them by own vectors"
        context.notes.append(
            Note("matched", "experts", text, node.name or "", graph_facts.origin_of(node), facts)
        )
        return True
    return False


def sums_over(y: ir.Value) -> list[ir.Node]:
    """Return the weighted sums that read these rows, in the order of the graph."""
    found: list[ir.Node] = []
    todo = [graph_facts.before_reshapes(y)]
    while todo:
        for use in todo.pop().uses():
            if graph_facts.kind_of(use.node) == "Combine" and use.idx == 0:
                found.append(use.node)
            elif graph_facts.is_op(use.node, *graph_facts.RESHAPES):
                todo.extend(use.node.outputs)
    return sorted(found, key=lambda node: str(node.name))


def modulated(y: ir.Value, limit: int = 200) -> list[ir.Value]:
    """Return tables [E, w] of which rows are taken by run-time ids, where no expert has a product.

    [] where an expert product leads to `y`, or no such table does.
    """
    found: list[ir.Value] = []
    todo, seen = [y], set[ir.Node]()
    while todo and len(seen) < limit:
        node = todo.pop().producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        if graph_facts.kind_of(node) in regions.EXPERT_LINEARS:
            return []
        ids = gathered_ids(node, rank=2)
        if ids is not None and node.inputs[0] is not None:
            found.append(node.inputs[0])
        elif graph_facts.kind_of(node) not in ("MoE", "Combine", "Route"):
            todo.extend(v for v in node.inputs if v is not None)
    return found


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
