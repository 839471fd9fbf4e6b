"""Top-1 routers written with ArgMax (Switch Transformer)."""

from __future__ import annotations

from edgemoe import graph_facts
from edgemoe.routing import (
    Route,
    RouterSite,
    Weighting,
    understand_score,
    understand_weights,
    without_casts,
)


def match(site: RouterSite) -> Route | str:
    """Understand ids = ArgMax(score(logits)) with the largest score, or 1, as the weight."""
    if site.ids is None or site.weights is None or site.chosen != 1:
        return "more than one expert is chosen"
    value = graph_facts.before_reshapes(site.ids)
    node = graph_facts.made_by(value, "ArgMax")
    if (
        node is None
        or node.inputs[0] is None
        or graph_facts.attribute(node, "select_last_index", 0)
    ):
        return "the ids do not come from an ArgMax that takes the first"
    rank = len(graph_facts.shape_of(node.inputs[0]) or ())
    if graph_facts.axis_of(node, 0, rank) != rank - 1:
        return f"{node.name} chooses among tokens"
    score = without_casts(node.inputs[0])
    largest = graph_facts.made_by(without_casts(site.weights), "ReduceMax")
    if largest is None or largest.inputs[0] is None:
        gathered = understand_weights(site.weights, site.ids, None)
        plain = not isinstance(gathered, str) and gathered == Weighting(gathered.score)
        if isinstance(gathered, str) or not plain or without_casts(gathered.score) is not score:
            return "the weight is not the largest score"
    elif (
        graph_facts.axes_of(largest) != [rank - 1] or without_casts(largest.inputs[0]) is not score
    ):
        return "the weight is not the largest score"
    understood = understand_score(score)
    if isinstance(understood, str):
        return understood
    name, logits = understood
    parameters: dict[str, object] = {
        "score": name, "select": "topk", "k": 1, "bias": False, "groups": 1, "top_groups": 1,
        "group_score": "max", "largest": True, "softmax_after": False, "sigmoid_after": False,
        "renormalise": "none", "eps": 0.0, "eps_mode": "add", "scale": 1.0,
    }  # fmt: skip
    return Route(logits, parameters)
