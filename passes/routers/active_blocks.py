"""Scores that only switch blocks on: a choice of blocks (FactorLLM), or the first n (MatFormer)."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.routing import Route, RouterSite, without_casts
from edgemoe.routing_matrix import one_hot_ids
from edgemoe.zero_scores import is_zero


def match(site: RouterSite) -> Route | str:
    """Understand scores that are one number where a block is chosen, or comes before the n-th."""
    if site.scores is None:
        return "the region is indexed"
    value: ir.Value | None = site.scores
    while (node := graph_facts.made_by(value, "Cast", "Expand", *graph_facts.RESHAPES)) is not None:
        value = node.inputs[0]
    if value is None:
        return "the scores are no mask"
    found = _prefix(value) or _chosen(value, site.experts)
    if found is None:
        return "the scores are no mask of chosen or of first blocks"
    return Route(site.scores, {"score": "none", **found}, described=True)


def _prefix(value: ir.Value) -> dict[str, object] | None:
    """0, 1, 2, ... < n."""
    node = graph_facts.made_by(value, "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
    if node is None:
        return None
    count, bound = node.inputs if node.op_type.startswith("Less") else node.inputs[::-1]
    numbers = graph_facts.ints_of(count)
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return None
    learned = any(
        graph_facts.is_op(n, "MatMul", "Gemm") for n in graph_facts.ancestors([bound or value])
    )
    return {"select": "prefix", "width": "per token" if learned else "input"}


def _chosen(value: ir.Value, experts: int) -> dict[str, object] | None:
    """A constant scattered to the chosen, or one-hot vectors of them."""
    ids = one_hot_ids(value, experts)
    node = graph_facts.made_by(value, "ScatterElements")
    if node is not None and is_zero(node.inputs[0]):
        weights = node.inputs[2]
        while (w := graph_facts.made_by(weights, "Expand", *graph_facts.RESHAPES)) is not None:
            weights = w.inputs[0]
        ids = node.inputs[1] if graph_facts.is_constant(weights) else None
    if ids is None:
        return None
    root = without_casts(graph_facts.before_reshapes(ids)).producer()
    while graph_facts.is_op(root, "Cast") and root is not None and root.inputs[0] is not None:
        root = graph_facts.before_reshapes(root.inputs[0]).producer()
    if graph_facts.is_op(root, "TopK") and root is not None:
        return {"select": "topk", "k": (graph_facts.shape_of(root.outputs[0]) or (0,))[-1]}
    return {"select": "argmax", "k": 1} if graph_facts.is_op(root, "ArgMax") else None
