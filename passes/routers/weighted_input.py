"""Top-k routers whose weights multiply what goes into the experts (Llama 4)."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.passes.routers import topk
from edgemoe.routing import Route, RouterSite


def match(site: RouterSite) -> Route | str:
    """Understand a region whose weights are all 1, and whose rows are scaled by chosen scores."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    if not _ones(site.weights):
        return "the weights are not all 1"
    reasons = ["no other input of the region has one number per choice"]
    for factor in site.factors:
        route = topk.match(dataclasses.replace(site, weights=factor))
        if isinstance(route, Route):
            route.parameters["applied_to"] = "input"
            route.outputs = [site.ids, factor]
            return route
        reasons.append(route)
    return reasons[-1]


def _ones(weights: ir.Value) -> bool:
    size = graph_facts.size_of(weights)
    if size is None or size > 1 << 20:
        return False
    array = graph_facts.array_of(weights)
    if array is None:
        source = graph_facts.made_by(weights, "Expand")
        return source is not None and graph_facts.scalar_of(source.inputs[0]) == 1.0
    return bool((array == 1).all())
