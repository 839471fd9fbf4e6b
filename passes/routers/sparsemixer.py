"""SparseMixer: the best expert, then the best of the others (arXiv 2409.12136, PhiMoE)."""

from __future__ import annotations

import numpy as np

from edgemoe import graph_facts, route_trial
from edgemoe.routing import Route, RouterSite


def match(site: RouterSite) -> Route | str:
    """Understand two ArgMax, weighed by a softmax over the scores close to each best one."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    joined = graph_facts.made_by(graph_facts.before_reshapes(site.ids), "Concat")
    first = graph_facts.made_by(joined.inputs[0], "ArgMax") if joined is not None else None
    if joined is None or first is None or len(joined.inputs) != 2 or site.chosen != 2:
        return "the ids are not those of two ArgMax"
    logits = first.inputs[0]
    jitter = _jitter(site)
    if logits is None or jitter is None or not route_trial.can_try(site, logits):
        return "no window around the best score is found"

    def reference(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return sparsemixer(scores, jitter)

    if not route_trial.agrees(site, logits, reference):
        return "ids or weights differ from those of SparseMixer"
    found = route_trial.parameters("sparsemixer", 2, select="sparsemixer", jitter=jitter)
    return Route(logits, found)


def _jitter(site: RouterSite) -> float | None:
    """Return half of what the relative distance to the best score is compared with."""
    assert site.weights is not None
    for node in graph_facts.ancestors([site.weights]):
        limit = (
            graph_facts.scalar_of(node.inputs[1]) if graph_facts.is_op(node, "Greater") else None
        )
        if limit is not None and graph_facts.made_by(node.inputs[0], "Div") is not None:
            return limit / 2
    return None


def sparsemixer(scores: np.ndarray, jitter: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores [T, E] -> ids and weights [T, 2]."""
    ids, weights, left = [], [], scores
    for _ in range(2):
        best = left.max(axis=-1, keepdims=True)
        chosen = left.argmax(axis=-1, keepdims=True)
        far = (best - scores) / np.maximum(np.abs(scores), best) > 2 * np.float32(jitter)
        shares = route_trial.softmax(np.where(far, -np.inf, left))
        ids.append(chosen)
        weights.append(np.take_along_axis(shares, chosen, axis=-1))
        left = left.copy()
        np.put_along_axis(left, chosen, -np.inf, axis=-1)
    return np.concatenate(ids, axis=-1), np.concatenate(weights, axis=-1)
