"""Top-1 routers with a capacity: an expert takes the first C tokens of a sequence (Switch)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, route_trial
from edgemoe.routing import Route, RouterSite


def match(site: RouterSite) -> Route | str:
    """Understand the largest softmax, with the weight 0 where the expert is full already."""
    if site.ids is None or site.weights is None or site.chosen != 1:
        return "more than one expert is chosen"
    logits, limit = _parts(site.ids)
    if logits is None or limit is None or not route_trial.can_try(site, logits):
        return "no running count of tokens is compared with a capacity"

    def reference(given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return limited(given, limit)

    if not route_trial.agrees(site, logits, reference):
        return "ids or weights differ from those of the first tokens of each expert"
    found = route_trial.parameters("softmax", 1, select="capacity", capacity=limit)
    return Route(logits, found)


def _parts(ids: ir.Value) -> tuple[ir.Value | None, int | None]:
    """Return the logits and the capacity among what the ids are made of."""
    logits: ir.Value | None = None
    limit: int | None = None
    nodes = graph_facts.ancestors([ids])
    counts = [node for node in nodes if graph_facts.is_op(node, "CumSum")]
    if len(counts) == 0:
        return None, None
    for use in counts[-1].outputs[0].uses():
        if graph_facts.is_op(use.node, "LessOrEqual", "Less", "Greater", "Not"):
            number = graph_facts.scalar_of(use.node.inputs[1])
            if number is not None and graph_facts.is_op(use.node, "LessOrEqual"):
                limit = int(number)
    best = [node for node in graph_facts.ancestors([counts[-1].outputs[0]])
            if graph_facts.is_op(node, "ArgMax")]  # fmt: skip
    for node in best:
        softmax = graph_facts.made_by(node.inputs[0], "Softmax")
        logits = softmax.inputs[0] if softmax is not None else logits
    return logits, limit


def limited(logits: np.ndarray, capacity: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [B, T, E] -> ids and weights [B, T]; a token without a place has id 0, weight 0."""
    shares = route_trial.softmax(logits)
    best = shares.argmax(axis=-1)
    taken = np.cumsum(best[..., None] == np.arange(logits.shape[-1]), axis=-2)
    kept = np.take_along_axis(taken, best[..., None], axis=-1)[..., 0] <= capacity
    return np.where(kept, best, 0), np.where(kept, shares.max(axis=-1), 0.0)
