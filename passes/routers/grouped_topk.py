"""Group-limited top-k routers (DeepSeek-V2, DeepSeek-V3): the best groups first, then experts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.passes.routers.topk import added_bias
from edgemoe.routing import (
    Route,
    RouterSite,
    chosen_by,
    understand_score,
    understand_weights,
    without_casts,
)
from edgemoe.zero_scores import is_zero


@dataclass
class Groups:
    """The scores before masking, and how groups were chosen."""

    choice: ir.Value
    groups: int
    top_groups: int
    group_score: str
    masked: float


def match(site: RouterSite) -> Route | str:
    """Understand ids = TopK(Where(in a chosen group, score + bias, masked))."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    topk = chosen_by(site.ids)
    if topk is None or topk.inputs[0] is None:
        return "the ids do not come from a TopK of the largest"
    groups = _groups(topk.inputs[0], site.experts)
    if isinstance(groups, str):
        return groups
    weighting = understand_weights(site.weights, site.ids, topk)
    if isinstance(weighting, str):
        return weighting
    choice, score = groups.choice, without_casts(weighting.score)
    if score is without_casts(topk.inputs[0]):
        score = choice  # the chosen experts are in chosen groups, where nothing is masked
        if groups.masked == 0.0 and site.chosen > groups.top_groups * site.experts // groups.groups:
            return "masked experts can be chosen"
    bias = None if choice is score else added_bias(choice, score, site.experts)
    if bias is None and choice is not score:
        return "the groups are chosen by other scores than the experts"
    understood = understand_score(score)
    if isinstance(understood, str):
        return understood
    name, logits = understood
    parameters: dict[str, object] = {
        "score": name, "select": "topk", "k": site.chosen, "bias": bias is not None,
        "groups": groups.groups, "top_groups": groups.top_groups,
        "group_score": groups.group_score,
        "masked": "-inf" if np.isneginf(groups.masked) else groups.masked, "largest": True,
        **weighting.parameters(),
    }  # fmt: skip
    return Route(logits, parameters, *weighting.tensors(bias))


def _groups(value: ir.Value, experts: int) -> Groups | str:
    value = without_casts(value)
    where = graph_facts.made_by(value, "Where")
    if where is None:
        return "no group is masked"
    condition, first, second = where.inputs
    assert condition is not None
    kept, other, negated = second, first, True
    if graph_facts.scalar_of(first) is None:
        kept, other, negated = first, second, False
    masked = graph_facts.scalar_of(other)
    if masked is None or kept is None:
        return f"{where.name} does not mask with a constant"
    mask, flips = _mask(condition)
    if flips != negated or mask is None:
        return f"{where.name} does not mask groups"
    scatter = graph_facts.made_by(mask, "ScatterElements")
    if scatter is None or not is_zero(scatter.inputs[0]):
        return f"{where.name} does not mask groups"
    shape = graph_facts.shape_of(scatter.outputs[0])
    ones = graph_facts.array_of(scatter.inputs[2])
    if shape is None or ones is None or not (ones == 1).all() or scatter.inputs[1] is None:
        return f"{scatter.name} does not mark the chosen groups"
    top = chosen_by(scatter.inputs[1])
    if top is None or graph_facts.axis_of(scatter, 0, len(shape)) != len(shape) - 1:
        return f"{scatter.name} does not mark the chosen groups"
    count = shape[-1]
    if experts % count or not _spreads(condition, count, experts):
        return "groups are no runs of neighbouring experts"
    choice = without_casts(kept)
    kind = _group_score(top.inputs[0], choice, count, experts)
    if kind is None:
        return f"{top.name} chooses groups by an unknown score"
    chosen = (graph_facts.shape_of(scatter.inputs[1]) or (0,))[-1]
    return Groups(choice, count, chosen, kind, masked)


def _mask(condition: ir.Value) -> tuple[ir.Value | None, bool]:
    """Follow a mask up to where it was scattered; tell whether it was negated on the way."""
    flips, value = False, condition
    while (node := value.producer()) is not None:
        if graph_facts.is_op(node, "Not") or (
            graph_facts.is_op(node, "Equal") and graph_facts.scalar_of(node.inputs[1]) == 0
        ):
            flips = not flips
        elif not graph_facts.is_op(node, "Cast", "Expand", "Tile", *graph_facts.RESHAPES):
            return value, flips
        if node.inputs[0] is None:
            break
        value = node.inputs[0]
    return None, flips


def _spreads(condition: ir.Value, groups: int, experts: int) -> bool:
    """[T, G] -> [T, G, 1] -> [T, G, E/G] -> [T, E]: one Expand along a new last axis."""
    value: ir.Value | None = condition
    while value is not None and (node := value.producer()) is not None:
        if graph_facts.is_op(node, "Expand"):
            source = graph_facts.shape_of(node.inputs[0])
            target = graph_facts.shape_of(node.outputs[0])
            return (
                source is not None
                and target is not None
                and source[-2:] == (groups, 1)
                and target[-2:] == (groups, experts // groups)
            )
        if graph_facts.is_op(node, "ScatterElements"):
            break
        value = node.inputs[0]
    return groups == experts


def _group_score(value: ir.Value | None, choice: ir.Value, groups: int, experts: int) -> str | None:
    if value is None:
        return None
    node = graph_facts.before_reshapes(value).producer()
    if node is None or not graph_facts.is_op(node, "ReduceSum", "ReduceMax"):
        return None
    source = node.inputs[0]
    kind = "max"
    if graph_facts.is_op(node, "ReduceSum") and source is not None:
        best = graph_facts.made_by(source, "TopK")
        if best is None or source.index() != 0 or not graph_facts.attribute(best, "largest", 1):
            return None
        if (graph_facts.shape_of(source) or (0,))[-1] != 2:
            return None
        source, kind = best.inputs[0], "sum2"
    shape = graph_facts.shape_of(source)
    axes = graph_facts.axes_of(node)
    if source is None or shape is None or shape[-2:] != (groups, experts // groups):
        return None
    if axes != [len(shape) - 1] or without_casts(source) is not choice:
        return None
    return kind
