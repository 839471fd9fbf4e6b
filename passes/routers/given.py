"""Experts that the input names: by modality, task or domain, or by a condition."""

from __future__ import annotations

from edgemoe import graph_facts
from edgemoe.routing import Route, RouterSite

_LEARNED = ("MatMul", "Gemm", "Einsum", "Conv", "LSTM", "GRU", "TopK", "ArgMax", "ArgMin")


def match(site: RouterSite) -> Route | str:
    """Understand ids that no learned router makes, and branches that a condition selects."""
    if site.ids is None or site.scores is not None or site.form == "slotted":
        return "scores say who is active"
    if graph_facts.is_constant(site.ids):
        return "the ids do not depend on the input"
    if graph_facts.made_by(graph_facts.before_reshapes(site.ids), "Gather", "GatherND") is not None:
        return "the ids are rows of a table"
    nodes = graph_facts.ancestors([site.ids])
    learned = any(graph_facts.is_op(node, *_LEARNED) or graph_facts.kind_of(node) for node in nodes)
    if learned and site.form not in ("selected", "conditional"):
        return "the ids are computed, or chosen by scores"
    select = "condition" if learned else "input"
    parameters: dict[str, object] = {"score": "none", "select": select, "k": site.chosen}
    return Route(site.ids, parameters, described=True)
