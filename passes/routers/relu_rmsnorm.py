"""BlockFFN's router: s = gamma * a / rms(a) with a = relu(logits) (arXiv 2507.08771, 3.1)."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.routing import Route, RouterSite, without_casts


def match(site: RouterSite) -> Route | str:
    """Understand scores = gamma * Relu(logits) * rsqrt(mean(Relu(logits)^2) + eps)."""
    if site.scores is None:
        return "the region is indexed"
    factors: list[ir.Value] = []
    _factors(without_casts(site.scores), factors)
    gamma = [f for f in factors if graph_facts.is_constant(f)]
    rest = [f for f in factors if f not in gamma]
    if len(gamma) > 1 or any(graph_facts.size_of(g) != site.experts for g in gamma):
        return "the scores are scaled by something else than one number per expert"
    found = _normalised(rest)
    if isinstance(found, str):
        return found
    active, eps, weight = found
    gamma += [] if weight is None else [weight]
    relu = graph_facts.made_by(active, "Relu")
    if relu is None or relu.inputs[0] is None or len(gamma) > 1:
        return "the scores are not made of Relu(logits)"
    parameters: dict[str, object] = {"score": "relu_rmsnorm", "eps": eps, "gamma": bool(gamma)}
    return Route(without_casts(relu.inputs[0]), parameters, gamma, ["gamma"] * len(gamma))


def _factors(value: ir.Value, found: list[ir.Value]) -> None:
    node = graph_facts.made_by(value, "Mul")
    if node is None or node.inputs[0] is None or node.inputs[1] is None:
        found.append(value)
        return
    if node.inputs[0] is node.inputs[1]:
        found.append(value)
        return
    _factors(without_casts(node.inputs[0]), found)
    _factors(without_casts(node.inputs[1]), found)


def _normalised(factors: list[ir.Value]) -> tuple[ir.Value, float, ir.Value | None] | str:
    if len(factors) == 1:
        node = graph_facts.made_by(factors[0], "RMSNormalization")
        if node is not None and node.inputs[0] is not None:
            eps = graph_facts.float_attribute(node, "epsilon", 1e-5)
            return without_casts(node.inputs[0]), eps, node.inputs[1]
        divided = graph_facts.made_by(factors[0], "Div")
        if divided is not None and divided.inputs[0] is not None:
            active = without_casts(divided.inputs[0])
            eps_found = _mean_square(divided.inputs[1], active)
            if eps_found is not None:
                return active, eps_found, None
    if len(factors) == 2:
        for active, inverse in (factors, factors[::-1]):
            node = graph_facts.made_by(inverse, "Reciprocal")
            eps_found = _mean_square(node.inputs[0], active) if node is not None else None
            if eps_found is not None:
                return active, eps_found, None
    return "the scores are not normalised by their root mean square"


def _mean_square(root: ir.Value | None, active: ir.Value) -> float | None:
    """Return eps when root = sqrt(mean(active^2) + eps) along the last axis."""
    sqrt = graph_facts.made_by(root, "Sqrt")
    value = sqrt.inputs[0] if sqrt is not None else None
    eps = 0.0
    added = graph_facts.made_by(value, "Add")
    if added is not None:
        number = graph_facts.scalar_of(added.inputs[1])
        value = added.inputs[0]
        if number is None:
            number, value = graph_facts.scalar_of(added.inputs[0]), added.inputs[1]
        if number is None:
            return None
        eps = number
    mean = graph_facts.made_by(value, "ReduceMean")
    if mean is None or mean.inputs[0] is None:
        return None
    rank = len(graph_facts.shape_of(mean.inputs[0]) or ())
    if graph_facts.axes_of(mean) != [rank - 1]:
        return None
    square = graph_facts.made_by(mean.inputs[0], "Mul", "Pow")
    if square is None or square.inputs[0] is None or square.inputs[1] is None:
        return None
    if without_casts(square.inputs[0]) is not active:
        return None
    twice = without_casts(square.inputs[1]) is active
    if graph_facts.is_op(square, "Pow"):
        twice = graph_facts.scalar_of(square.inputs[1]) == 2.0
    return eps if twice else None
