"""Top-k routers with classes that are no experts (ZAYA's skip expert, LongCat's identity)."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.passes.routers import topk
from edgemoe.routing import Route, RouterSite, without_casts


def match(site: RouterSite) -> Route | str:
    """Understand ids = Where(chosen >= E, nobody, chosen) with the weight 0 in the same places."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    chosen, weights = _masked(site.ids), _masked(site.weights)
    if chosen is None or weights is None or weights[2] != 0.0:
        return "no choice is masked"
    if chosen[0] is not weights[0]:
        return "ids and weights are masked in different places"
    classes = _classes(chosen[1])
    if not _is_beyond(chosen[0], chosen[1], site.experts, classes):
        return "what is masked is not the classes after the experts"
    inner = dataclasses.replace(site, ids=chosen[1], weights=weights[1], experts=classes)
    route = topk.match(inner)
    if isinstance(route, str):
        return route
    route.parameters["skip_from"] = site.experts
    return route


def _masked(value: ir.Value) -> tuple[ir.Value, ir.Value, float] | None:
    """Where(condition, constant, x) -> (condition, x, constant)."""
    node = graph_facts.made_by(_without_integer_casts(without_casts(value)), "Where")
    number = graph_facts.scalar_of(node.inputs[1]) if node is not None else None
    if node is None or number is None or node.inputs[0] is None or node.inputs[2] is None:
        return None
    return node.inputs[0], node.inputs[2], number


def _without_integer_casts(value: ir.Value) -> ir.Value:
    value = graph_facts.before_reshapes(value)
    while (cast := graph_facts.made_by(value, "Cast")) is not None and cast.inputs[0] is not None:
        if cast.inputs[0].dtype is None or not cast.inputs[0].dtype.is_integer():
            break
        value = graph_facts.before_reshapes(cast.inputs[0])
    return value


def _classes(chosen: ir.Value) -> int:
    """Return how many scores the TopK chooses from."""
    node = graph_facts.made_by(_without_integer_casts(chosen), "TopK")
    shape = graph_facts.shape_of(node.inputs[0]) if node is not None else None
    return shape[-1] if shape else 0


def _is_beyond(condition: ir.Value, chosen: ir.Value, experts: int, classes: int) -> bool:
    """Tell whether a condition is chosen == E (the only class beyond) or chosen >= E."""
    node = graph_facts.made_by(condition, "Equal", "GreaterOrEqual", "Greater")
    if node is None or node.inputs[0] is None:
        return False
    limit = graph_facts.scalar_of(node.inputs[1])
    if not graph_facts.same_elements(node.inputs[0], chosen) or limit is None:
        return False
    if graph_facts.is_op(node, "Greater"):
        limit += 1
    return limit == experts and (not graph_facts.is_op(node, "Equal") or classes == experts + 1)
