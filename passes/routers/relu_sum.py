"""Sum-normalised ReLU routers: s = a / (scale * sum(a) + eps) with a = relu(logits)."""

from __future__ import annotations

from edgemoe import graph_facts
from edgemoe.routing import Route, RouterSite, without_casts


def match(site: RouterSite) -> Route | str:
    """Understand scores = Relu(logits) / (sum(Relu(logits)) * scale + eps)."""
    if site.scores is None:
        return "the region is indexed"
    node = graph_facts.made_by(without_casts(site.scores), "Div")
    if node is None or node.inputs[0] is None or node.inputs[1] is None:
        return "the scores are no quotient"
    active, total = without_casts(node.inputs[0]), without_casts(node.inputs[1])
    relu = graph_facts.made_by(active, "Relu")
    if relu is None or relu.inputs[0] is None:
        return "the scores are not made of Relu(logits)"
    numbers = {"Add": 0.0, "Mul": 1.0}
    for op_type in ("Add", "Mul"):
        around = graph_facts.made_by(total, op_type)
        number = graph_facts.scalar_of(around.inputs[1]) if around is not None else None
        if around is not None and number is not None and around.inputs[0] is not None:
            numbers[op_type], total = number, without_casts(around.inputs[0])
    summed = graph_facts.made_by(total, "ReduceSum")
    if summed is None or summed.inputs[0] is None:
        return "the scores are not divided by their sum"
    rank = len(graph_facts.shape_of(summed.inputs[0]) or ())
    if graph_facts.axes_of(summed) != [rank - 1] or without_casts(summed.inputs[0]) is not active:
        return "the scores are not divided by their sum"
    parameters: dict[str, object] = {
        "score": "relu_sum", "eps": numbers["Add"], "scale": numbers["Mul"], "gamma": False
    }  # fmt: skip
    return Route(without_casts(relu.inputs[0]), parameters)
