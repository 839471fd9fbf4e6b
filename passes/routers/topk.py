"""Top-k routers: softmax, sigmoid or plain scores, a correction bias, renormalised or not."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.routing import (
    Route,
    RouterSite,
    chosen_by,
    temperature_of,
    understand_score,
    understand_weights,
    without_casts,
)


def match(site: RouterSite) -> Route | str:
    """Understand ids = TopK(score(logits) + bias) and weights made of the chosen scores."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    topk = chosen_by(site.ids)
    if topk is None or topk.inputs[0] is None:
        return "the ids do not come from a TopK of the largest"
    weighting = understand_weights(site.weights, site.ids, topk)
    if isinstance(weighting, str):
        return weighting
    choice, score = without_casts(topk.inputs[0]), without_casts(weighting.score)
    bias = None
    if choice is not score:
        bias = added_bias(choice, score, site.experts)
        if bias is None:
            node = choice.producer()
            return f"{node.name if node else choice.name} stands between scores and choice"
    understood = understand_score(score)
    if isinstance(understood, str):
        return understood
    name, logits = understood
    parameters: dict[str, object] = {
        "score": name, "select": "topk", "k": site.chosen, "bias": bias is not None,
        "groups": 1, "top_groups": 1, "group_score": "max", "largest": True,
        **weighting.parameters(), **temperature_of(logits),
    }  # fmt: skip
    return Route(logits, parameters, *weighting.tensors(bias))


def added_bias(choice: ir.Value, score: ir.Value, experts: int) -> ir.Value | None:
    """Return the constant [E] in choice = score + bias."""
    node = graph_facts.made_by(choice, "Add")
    if node is None:
        return None
    for first, bias in (node.inputs, tuple(reversed(node.inputs))):
        if first is not None and without_casts(first) is score and graph_facts.is_constant(bias):
            return bias if graph_facts.size_of(bias) == experts else None
    return None
