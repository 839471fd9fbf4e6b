"""Hash routers: a table says for each token id where it goes (DeepSeek-V4, Hash Layers)."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.routing import (
    Route,
    RouterSite,
    understand_score,
    understand_weights,
    without_casts,
)


def match(site: RouterSite) -> Route | str:
    """Understand ids = table[token ids], weighed by the scores of these experts."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    ids = _rows(site.ids)
    if ids is None:
        return "the ids are no rows of a table"
    table, tokens = ids
    if graph_facts.shape_of(table) is None or graph_facts.size_of(tokens) != site.tokens:
        return "the table has no row per token id"
    if graph_facts.is_constant(graph_facts.before_reshapes(site.weights)):
        found: dict[str, object] = {"score": "none", "select": "table", "k": site.chosen}
        return Route(site.ids, found, described=True)
    weighting = understand_weights(site.weights, site.ids, None)
    if isinstance(weighting, str):
        return weighting
    understood = understand_score(without_casts(weighting.score))
    if isinstance(understood, str):
        return understood
    name, logits = understood
    parameters: dict[str, object] = {
        "score": name, "select": "table", "k": site.chosen, "bias": False, "groups": 1,
        "top_groups": 1, "group_score": "max", "largest": True, **weighting.parameters(),
    }  # fmt: skip
    tensors, names = weighting.tensors()
    return Route(logits, parameters, [*tensors, table, tokens], [*names, "table", "tokens"])


def _rows(ids: ir.Value) -> tuple[ir.Value, ir.Value] | None:
    """Return a constant table [V, K] and the integers that choose its rows."""
    value = graph_facts.before_reshapes(ids)
    while (cast := graph_facts.made_by(value, "Cast")) is not None and cast.inputs[0] is not None:
        value = graph_facts.before_reshapes(cast.inputs[0])
    node = graph_facts.made_by(value, "Gather", "GatherND")
    if node is None or node.inputs[0] is None or node.inputs[1] is None:
        return None
    table, index = node.inputs[0], graph_facts.before_reshapes(node.inputs[1])
    whole_rows = graph_facts.is_op(node, "GatherND") or graph_facts.axis_of(node, 0, 2) == 0
    if not graph_facts.is_constant(table) or len(graph_facts.shape_of(table) or ()) != 2:
        return None
    return (table, index) if whole_rows and not graph_facts.is_constant(index) else None
