"""Prove by trial what a router computes: random logits through the graph and through a reference.

For routers whose structure has many spellings. What is found this way describes the router; its own
operators stay in the function, so a description never changes a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts
from edgemoe.routing import RouterSite

Reference = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Logits of the graph's shape -> ids [T, K] and weights [T, K]."""

SCALES = (1.0, 0.05, 6.0)
TOLERANCE = 1e-5


def agrees(site: RouterSite, logits: ir.Value, reference: Reference) -> bool:
    """Tell whether ids and weights are what the reference makes of the logits."""
    shape = graph_facts.shape_of(logits)
    if site.ids is None or site.weights is None or shape is None:
        return False
    for given, ids, weights in trials(site, logits, shape):
        wanted, shares = reference(given)
        if not np.array_equal(ids, wanted.reshape(ids.shape)):
            return False
        if not np.allclose(weights, shares.reshape(ids.shape), rtol=TOLERANCE, atol=TOLERANCE):
            return False
    return True


def trials(
    site: RouterSite, logits: ir.Value, shape: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield random logits, and the ids and weights that the graph makes of them.

    Raises:
        ValueError: the routing depends on more than the logits.
    """
    assert site.ids is not None and site.weights is not None
    random = np.random.default_rng(0)
    for scale in SCALES:
        given = (random.standard_normal(shape) * scale).astype(np.float32)
        ids, weights = constant_eval.evaluate([site.ids, site.weights], {logits: given})
        yield given, ids, weights


def can_try(site: RouterSite, logits: ir.Value | None) -> bool:
    """Tell whether ids and weights follow from these float32 logits alone."""
    shape = graph_facts.shape_of(logits)
    if logits is None or shape is None or logits.dtype != ir.DataType.FLOAT:
        return False
    try:
        next(trials(site, logits, shape))
    except ValueError:
        return False
    return True


def softmax(x: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def parameters(score: str, chosen: int, **found: object) -> dict[str, object]:
    """Return the parameters of a route that is described only; `select` is its family's name."""
    plain: dict[str, object] = {
        "score": score, "k": chosen, "bias": False, "groups": 1, "top_groups": 1,
        "group_score": "max", "largest": True, "softmax_after": False, "sigmoid_after": False,
        "renormalise": "none", "eps": 0.0, "eps_mode": "add", "scale": 1.0,
    }  # fmt: skip
    return plain | found
