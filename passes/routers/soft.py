"""Soft mixtures: every expert counts, weighed by softmax or sigmoid (MMoE, adapters)."""

from __future__ import annotations

from edgemoe.routing import Route, RouterSite, temperature_of, understand_score


def match(site: RouterSite) -> Route | str:
    """Understand weights = softmax(logits) over all experts; nothing is chosen."""
    if site.form != "soft" or site.weights is None:
        return "not every expert counts"
    understood = understand_score(site.weights)
    if isinstance(understood, str):
        return understood
    name, logits = understood
    parameters: dict[str, object] = {
        "score": name, "select": "all", "k": site.experts, **temperature_of(logits)
    }  # fmt: skip
    return Route(logits, parameters, described=True)
