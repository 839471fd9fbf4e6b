"""Routers by threshold: experts whose score reaches a number, or the k-th best score."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.routing import Route, RouterSite, temperature_of, understand_score, without_casts
from edgemoe.zero_scores import is_zero


def match(site: RouterSite) -> Route | str:
    """Understand scores = s where s >= threshold, else 0; renormalised or not."""
    if site.scores is None:
        return "the region is indexed"
    value = without_casts(site.scores)
    renormalise = "none"
    divided = graph_facts.made_by(value, "Div")
    total = without_casts(divided.inputs[1]) if divided is not None and divided.inputs[1] else None
    if divided is not None and divided.inputs[0] is not None:
        if graph_facts.made_by(total, "ReduceSum", "Add", "Max", "Clip") is None:
            return "the scores are no quotient by their sum"
        value, renormalise = without_casts(divided.inputs[0]), "sum"
    kept = _kept(value)
    if kept is None:
        return "no score is compared with a threshold"
    score, limit = kept
    understood = understand_score(score)
    if isinstance(understood, str):
        return understood
    name, logits = understood
    parameters: dict[str, object] = {
        "score": name, "select": "threshold", "renormalise": renormalise, **limit,
        **temperature_of(logits),
    }  # fmt: skip
    return Route(logits, parameters, described=True)


def _kept(value: ir.Value) -> tuple[ir.Value, dict[str, object]] | None:
    """Where(s >= t, s, 0) or s * (s >= t) -> s and what t is."""
    node = graph_facts.made_by(value, "Where", "Mul")
    if node is None:
        return None
    if graph_facts.is_op(node, "Where"):
        condition, score, other = node.inputs
        pairs = [(condition, score)] if is_zero(other) else []
    else:
        first, second = node.inputs
        pairs = [(first, second), (second, first)]
    for mask, score in pairs:
        if mask is None or score is None:
            continue
        compared = _comparison(mask)
        if compared is None or compared.inputs[0] is None:
            continue
        if without_casts(compared.inputs[0]) is not without_casts(score):
            continue
        limit = _limit(compared.inputs[1])
        if limit is not None:
            return without_casts(score), limit
    return None


def _comparison(mask: ir.Value) -> ir.Node | None:
    while (cast := graph_facts.made_by(mask, "Cast", *graph_facts.RESHAPES)) is not None:
        if cast.inputs[0] is None:
            return None
        mask = cast.inputs[0]
    return graph_facts.made_by(mask, "GreaterOrEqual", "Greater")


def _limit(value: ir.Value | None) -> dict[str, object] | None:
    number = graph_facts.scalar_of(value)
    if number is not None:
        return {"threshold": number}
    node = value.producer() if value is not None else None
    for _ in range(6):
        if graph_facts.is_op(node, "TopK") and node is not None:
            return {"k": (graph_facts.shape_of(node.outputs[0]) or (0,))[-1]}
        if node is None or not graph_facts.is_op(node, "Slice", "Gather", "Split", "ReduceMin",
                                                 *graph_facts.RESHAPES):  # fmt: skip
            return None
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    return None
