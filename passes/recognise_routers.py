"""Recognise the routers of regions, family by family."""

from __future__ import annotations

import importlib
import json
import pkgutil

import onnx_ir as ir

import edgemoe.passes.routers
from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.outline import free_name, outline
from edgemoe.router_family import Matcher
from edgemoe.router_site import router_site
from edgemoe.routing import Route, RouterSite

_INLINE = 1 << 16


def families() -> dict[str, Matcher]:
    """Return the matcher of every file in `passes/routers`, by the file's name."""
    found: dict[str, Matcher] = {}
    for info in pkgutil.iter_modules(edgemoe.passes.routers.__path__):
        module = importlib.import_module(f"edgemoe.passes.routers.{info.name}")
        found[info.name] = module.match
    return found


@graph_pass(
    phase="recognise", after=("group_regions", "recognise_flat_blocks"), exact="reassociation"
)
def recognise_routers(model: ir.Model, context: PassContext) -> int:
    """Outline what leads from the logits to ids and weights (or scores), with its parameters.

    Given:  v, ids = TopK(Softmax(l), k); w = Div(v, ReduceSum(v)); y = MoE_0(x, ids, w, ...)
    Result: ids, w = Route_0(l)  {score: softmax, k: 2, renormalise: sum}; y = MoE_0(x, ids, w, ..)
    """
    changes = 0
    matchers = {**context.routers, **families(), **context.routers}  # plug-ins come first
    for node in list(model.graph):
        site = None if _is_routed(node) else router_site(node)
        if site is None:
            continue
        reasons: dict[str, str] = {}
        for name, matcher in matchers.items():
            route = _one_row_each(matcher(site), site)
            if isinstance(route, str):
                reasons[name] = route
                continue
            if route.described:
                _describe(node, site, route, name, context)
            else:
                _outline(model, site, route, name, context)
                changes += 1
            break
        else:
            origin = graph_facts.origin_of(node)
            text = f"the router of {node.op_type} stays ordinary operators: " + "; ".join(
                f"not {family}, {reason}" for family, reason in sorted(reasons.items())
            )
            context.notes.append(
                Note("missed", "router", text, str(node.name), origin, {"reasons": reasons})
            )
    if changes:
        regions.add_bodies(model)
        model.graph.sort()  # ids may be read by nodes that lie in front of the last one of a route
    return changes


def _one_row_each(route: Route | str, site: RouterSite) -> Route | str:
    """Decline a router whose choice was taken apart: a row of logits for several of a region."""
    if isinstance(route, str):
        return route
    shape, size = graph_facts.shape_of(route.logits), graph_facts.size_of(route.logits)
    if route.described or not shape or size == site.tokens * site.experts:
        return route
    if shape[-1] > site.experts and size == site.tokens * shape[-1]:
        return route  # more classes than experts
    return f"the logits {list(shape)} are not {site.tokens} rows of {site.experts}"


def _is_routed(node: ir.Node) -> bool:
    return any(graph_facts.called_by(value, "Route") is not None for value in node.inputs[1:2])


def _describe(
    node: ir.Node, site: RouterSite, route: Route, family: str, context: PassContext
) -> None:
    """Note a router that stays ordinary operators because these are as good."""
    facts = {"form": family, "E": site.experts, **route.parameters}
    text = f"{family} over {site.experts} experts, as ordinary operators"
    context.notes.append(
        Note("matched", "router", text, str(node.name), graph_facts.origin_of(node), facts)
    )


def _outline(
    model: ir.Model, site: RouterSite, route: Route, family: str, context: PassContext
) -> None:
    made = (site.ids, site.weights, site.scores)
    outputs = route.outputs or [v for v in made if v is not None]
    logits = _as_matrix(route.logits, outputs, site)
    name = free_name(model, "Route")
    metadata = {"edgemoe.route": json.dumps(route.parameters), "edgemoe.family": family}
    call = outline(
        model, name, "Route", [logits, *route.tensors], ["logits", *route.names], outputs,
        metadata, inline=_INLINE,
    )  # fmt: skip
    origin = graph_facts.origin_of(call)
    facts = {"form": family, "region": name, "E": site.experts, **route.parameters}
    context.notes.append(
        Note("matched", "router", f"{name}: {family} over {site.experts} experts",
             str(call.name), origin, facts)
    )  # fmt: skip


def _as_matrix(logits: ir.Value, outputs: list[ir.Value], site: RouterSite) -> ir.Value:
    """Return the logits as [T, E]; what reads them in another shape reads a reshape of that.

    There may be more classes than experts.
    """
    shape, size = graph_facts.shape_of(logits), graph_facts.size_of(logits)
    if shape is None or size is None or len(shape) == 2:
        return logits
    target = (site.tokens, size // max(site.tokens, 1))
    members = graph_facts.ancestors(outputs, frozenset({logits}))
    readers = [use for use in logits.uses() if use.node in members]
    emit = Emitter(readers[0].node)
    matrix = emit.op("Reshape", logits, emit.ints(*target))
    back = emit.op("Reshape", matrix, emit.ints(*shape))
    for use in readers:
        use.node.replace_input_with(use.idx, back)
    return matrix
