"""Routers that share one sum between chosen and shared experts (Inkling)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, route_trial
from edgemoe.routing import Route, RouterSite, chosen_by, without_casts


def match(site: RouterSite) -> Route | str:
    """Understand ids = TopK(sigmoid(l)[:E] + bias), w = sigmoid(l) over the sum with l[E:]."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    topk = chosen_by(site.ids)
    scores = _first_classes(topk.inputs[0], site.experts) if topk is not None else None
    if scores is None:
        return "the ids are no choice among the first of more classes"
    sigmoid, bias = scores
    logits = sigmoid.inputs[0]
    classes = (graph_facts.shape_of(logits) or (0,))[-1]
    if logits is None or not route_trial.can_try(site, logits):
        return "the routing depends on more than the logits"
    offsets = np.zeros(site.experts, np.float32)
    array = graph_facts.array_of(bias)
    if array is not None:
        offsets = array.reshape(-1).astype(np.float32)

    def reference(given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return shared_sum(given.reshape(-1, classes), offsets, site.chosen)

    scale = _scale(site, logits, reference)
    if scale is None or not route_trial.agrees(
        site, logits, lambda given: (reference(given)[0], reference(given)[1] * scale)
    ):
        return "the weights are no shares of the sum with the shared experts"
    found = route_trial.parameters(
        "sigmoid", site.chosen, select="topk with shared", bias=array is not None,
        renormalise="sum", shared=classes - site.experts, scale=scale,
    )  # fmt: skip
    return Route(logits, found)


def _first_classes(choice: ir.Value | None, experts: int) -> tuple[ir.Node, ir.Value | None] | None:
    """Slice(Sigmoid(logits)) + bias -> the Sigmoid and the bias."""
    if choice is None:
        return None
    value, bias = without_casts(choice), None
    added = graph_facts.made_by(value, "Add")
    if added is not None:
        pairs = (added.inputs, tuple(reversed(added.inputs)))
        for first, second in pairs:
            if first is not None and graph_facts.is_constant(second):
                value, bias = without_casts(first), second
    part = graph_facts.made_by(value, "Slice", "Split")
    whole = part.inputs[0] if part is not None else None
    sigmoid = graph_facts.made_by(without_casts(whole), "Sigmoid") if whole is not None else None
    classes = (graph_facts.shape_of(whole) or (0,))[-1]
    return (sigmoid, bias) if sigmoid is not None and classes > experts else None


def _scale(site: RouterSite, logits: ir.Value, reference: route_trial.Reference) -> float | None:
    """Return the factor that the weights of the first trial have."""
    given, ids, weights = next(route_trial.trials(site, logits, graph_facts.shape_of(logits) or ()))
    shares = reference(given)[1].reshape(ids.shape)
    ratios = weights / shares
    return float(ratios.flat[0]) if np.allclose(ratios, ratios.flat[0], rtol=1e-4) else None


def shared_sum(logits: np.ndarray, bias: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [T, E + shared] -> ids and weights [T, k]; ties go to the lower number."""
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    routed = scores[:, : bias.size]
    order = np.argsort(-(routed.astype(np.float32) + bias), axis=-1, kind="stable")[:, :k]
    chosen = np.take_along_axis(routed, order, axis=-1)
    total = chosen.sum(axis=-1, keepdims=True) + scores[:, bias.size :].sum(axis=-1, keepdims=True)
    return order, chosen / total
