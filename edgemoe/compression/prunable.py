"""Which routers can lose experts: where their logits are, or why not."""

from __future__ import annotations

import json
from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.compression.region_view import RegionView, regions_of
from edgemoe.products import nearest_products
from edgemoe.routing import understand_score, without_casts

_SELECTS = {
    "table": "a table of token ids says where each token goes",
    "capacity": "experts have a capacity: those that stay would drop the tokens",
}
_FORMS = {
    "slotted": "experts work on slots, which would stay empty",
    "soft": "every expert counts for every token",
    "selected": "the input names the expert",
    "conditional": "a condition selects the expert",
}


@dataclass(frozen=True)
class Prunable:
    """Where a region's router can be masked, or why it cannot.

    Args of the constructor:
        declined: the reason, "" where it can.
        logits: the value [.., C] to mask; None where scores come from no router.
        route: the call of `Route_n` that reads the logits, if there is one.
        bias: a constant [E] that is added for the choice.
        largest: False where the smallest logits are chosen.
        least: fewest experts that must stay.
        groups: groups of neighbouring experts that the router ranks.
        top_groups: how many of them it chooses.
        least_per_group: fewest experts that must stay in each, unless the group goes altogether.
    """

    declined: str = ""
    logits: ir.Value | None = None
    route: ir.Node | None = None
    bias: ir.Value | None = None
    largest: bool = True
    least: int = 1
    groups: int = 1
    top_groups: int = 1
    least_per_group: int = 0


def prunable(model: ir.Model, node: ir.Node) -> Prunable:
    """Find the logits of the region that `node` calls; see `RegionView`."""
    view = next(v for v in regions_of(model) if v.node is node)
    if view.form in _FORMS:
        return Prunable(_FORMS[view.form])
    if not view.owned:
        return Prunable("no weight of the region has an axis of experts")
    route = _route(view)
    if route is not None:
        return _routed(view, route)
    if view.routing == "scored" or view.form == "scored":
        return _scored(view)
    return _chosen(view)


def _route(view: RegionView) -> ir.Node | None:
    """Return the call of a router whose result is the region's routing as it stands."""
    value = view.ids if view.routing == "indexed" else view.scores
    return graph_facts.called_by(value and graph_facts.before_reshapes(value), "Route")


def _routed(view: RegionView, route: ir.Node) -> Prunable:
    found = json.loads(route.metadata_props.get("edgemoe.route", "{}"))
    select = str(found.get("select", ""))
    if select in _SELECTS:
        return Prunable(_SELECTS[select])
    logits = route.inputs[0]
    classes = (graph_facts.shape_of(logits) or (0,))[-1]
    if classes < view.experts:
        return Prunable(f"the router knows {classes} classes, the region {view.experts} experts")
    groups = int(found.get("groups", 1))
    top_groups = int(found.get("top_groups", 1))
    least_per_group = 0
    if groups > 1:
        least_per_group = max(-(-view.chosen // top_groups), 1)
        if found.get("group_score") == "sum2":
            least_per_group = max(least_per_group, 2)
    return Prunable(
        logits=logits, route=route, bias=route.inputs[1] if found.get("bias") is True else None,
        least=max(view.chosen, 1), groups=groups, top_groups=top_groups,
        least_per_group=least_per_group,
    )  # fmt: skip


def _scored(view: RegionView) -> Prunable:
    """Scores without an understood router: mask the one product that they come from."""
    scores = view.scores if view.routing == "scored" else view.weights
    products = nearest_products(scores)
    if not products:
        return Prunable()  # a mask that the input gives: nothing competes
    value = products[0].outputs[0]
    user = graph_facts.only_user(value)
    biased = user is not None and graph_facts.is_op(user, "Add")
    if biased and user is not None and graph_facts.is_constant(user.inputs[1]):
        value = user.outputs[0]
    classes = (graph_facts.shape_of(value) or (0,))[-1]
    if len(products) > 1 or classes != view.experts:
        return Prunable(
            f"its scores come from {len(products)} products, the first of which has {classes} "
            f"columns for {view.experts} experts"
        )
    return Prunable(logits=value)


def _chosen(view: RegionView) -> Prunable:
    """Ids by TopK or ArgMax without an understood router: mask what is ranked."""
    value = view.ids
    assert value is not None
    value = graph_facts.before_reshapes(value)
    while (cast := graph_facts.made_by(value, "Cast")) is not None and cast.inputs[0] is not None:
        value = graph_facts.before_reshapes(cast.inputs[0])
    choice = graph_facts.made_by(value, "TopK", "ArgMax", "ArgMin")
    ranked = choice.inputs[0] if choice is not None else None
    if choice is None or ranked is None:
        node = value.producer()
        what = f"{node.name} ({node.op_type})" if node is not None else str(value.name)
        return Prunable(f"its ids come from {what}, which chooses nothing")
    rank = len(graph_facts.shape_of(ranked) or ())
    axis = graph_facts.axis_of(choice, -1 if choice.op_type == "TopK" else 0, rank)
    if axis != rank - 1:
        return Prunable(f"{choice.name} chooses tokens for an expert")
    largest = choice.op_type == "ArgMax" or (
        choice.op_type == "TopK" and bool(graph_facts.attribute(choice, "largest", 1))
    )
    understood = understand_score(without_casts(ranked))
    logits = understood[1] if largest and not isinstance(understood, str) else ranked
    if (graph_facts.shape_of(logits) or (0,))[-1] != view.experts:
        return Prunable(f"{choice.name} does not rank the {view.experts} experts of the region")
    return Prunable(logits=logits, largest=largest, least=max(view.chosen, 1))
