"""Merge experts that are alike instead of dropping them.

Experts are clustered by average linkage; those of a cluster become their average, weighted by how
many tokens used each (Li et al. 2024, arXiv 2310.01334, section 3.2). Routers keep all columns; ids
are renumbered, so a token whose two experts fall together adds their weights.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.calibration import Calibration
from edgemoe.compression.pruning import Merge, Pruning
from edgemoe.compression.region_statistics import RegionStatistics
from edgemoe.compression.region_view import RegionView, regions_of
from edgemoe.errors import OptionError

Likeness = Literal["outputs", "weights"]


def plan_merging(
    model: ir.Model, calibration: Calibration, ratio: float, by: Likeness = "outputs"
) -> Pruning:
    """Choose the experts of each region that become one.

    Args:
        model: after the phase recognise; its weights are read where `by` is "weights".
        calibration: what the data showed of the same model.
        ratio: share of experts that disappear, 0 <= ratio <= 1, rounded down; at least one stays.
            1 makes a dense layer: the average of all experts, for every token.
        by: "outputs": cosine distance of the mean outputs over the tokens that used an expert;
            "weights": of all its weights.

    Experts that no token used have the weight 0 in their cluster, and none of the mean outputs; a
    cluster of these alone is averaged evenly.

    Raises:
        OptionError: `ratio` or `by` is not one of these.
    """
    if not 0.0 <= ratio <= 1.0:
        raise OptionError(
            f"a merging ratio of {ratio} is out of range\n"
            "  next: the share of experts that disappear, 0 <= ratio <= 1"
        )
    if by not in ("outputs", "weights"):
        raise OptionError(f"likeness {by!r} is unknown\n  next: outputs or weights")
    merged, notes = {}, []
    for view in regions_of(model):
        region = calibration.regions.get(view.key)
        if region is None or view.experts != region.experts or not view.owned:
            notes.append(f"{view.label} is not merged: it was not calibrated with these experts")
            continue
        count = max(view.experts - int(ratio * view.experts + 1e-9), 1)
        if count == view.experts or view.key in merged:
            continue
        features = _outputs(region) if by == "outputs" else _weights(view)
        merged[view.key] = merge_of(cluster(features, count), region.uses)
    return Pruning(merged=merged, notes=tuple(notes))


def cluster(features: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Cut the tree of average linkage by cosine distance at `count` clusters.

    Args:
        features: float [E, n].
        count: how many clusters there will be, 1 <= count <= E.

    Returns the cluster of each expert, int64 [E], numbered by their first experts.
    """
    from scipy.cluster.hierarchy import linkage

    experts = len(features)
    if experts == 1:
        return np.zeros(1, np.int64)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, norms, out=np.zeros(features.shape), where=norms > 0)
    distance = np.clip(1.0 - unit @ unit.T, 0.0, 2.0)
    pairs = distance[np.triu_indices(experts, 1)]
    members = {number: [number] for number in range(experts)}
    for step, (one, other, _, _) in enumerate(linkage(pairs, "average")[: experts - count]):
        members[experts + step] = members.pop(int(one)) + members.pop(int(other))
    found = np.zeros(experts, np.int64)
    for number, group in enumerate(sorted(members.values(), key=min)):
        found[group] = number
    return found


def merge_of(target: NDArray[np.int64], uses: NDArray[np.int64]) -> Merge:
    """Weigh the experts of each cluster [E] by the tokens that used them [E]."""
    share = np.zeros(len(target))
    for number in range(int(target.max()) + 1):
        group = np.flatnonzero(target == number)
        total = uses[group].sum()
        share[group] = uses[group] / total if total else 1.0 / len(group)
    return Merge(tuple(int(n) for n in target), tuple(float(s) for s in share))


def _outputs(region: RegionStatistics) -> NDArray[Any]:
    if region.output is None:
        return np.zeros((region.experts, 1))
    return region.output / np.maximum(region.uses, 1)[:, None]


def _weights(view: RegionView) -> NDArray[Any]:
    arrays = [graph_facts.array_of(view.node.inputs[place]) for place in view.owned]
    flat = [a.reshape(len(a), -1).astype(np.float64) for a in arrays if a is not None]
    return np.concatenate(flat, axis=1)
