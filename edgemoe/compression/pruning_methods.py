"""Every way to decide about experts, by the name that people type."""

from __future__ import annotations

from typing import Any, get_args

import onnx_ir as ir

from edgemoe.compression.calibration import Calibration
from edgemoe.compression.merging import plan_merging
from edgemoe.compression.pruning import Pruning, Scope, plan_pruning
from edgemoe.compression.samples import Samples
from edgemoe.compression.scores import METHODS as SCORES
from edgemoe.compression.subset import best_subset
from edgemoe.errors import OptionError

METHODS = (*SCORES, "naee", "merge", "merge-weights")
"""Scores, the search of the best subset, and merging by likeness of outputs or of weights."""


def planned_pruning(
    graph: ir.Model, calibration: Calibration, data: Samples, ratio: float, method: str,
    scope: str, seed: int,
) -> Pruning:  # fmt: skip
    """Decide which experts go, or become one.

    Args:
        graph: recognised.
        calibration: of the same graph.
        data: samples, for "naee".
        ratio: share of experts that go.
        method: one of `METHODS`.
        scope: "layer" or "global", for scores.
        seed: for "random", and for the tokens of "naee".

    Raises:
        OptionError: there is no such method or scope, or it does not fit the model.
    """
    if method not in METHODS:
        raise OptionError(f"--prune-method {method}: there are {', '.join(METHODS)}")
    if scope not in get_args(Scope):
        raise OptionError(f"--prune-scope {scope}: there are {', '.join(get_args(Scope))}")
    if method in SCORES:
        chosen: Any = scope
        return plan_pruning(calibration, ratio, method, chosen, seed)
    if method == "naee":
        return _subsets(graph, calibration, data, ratio, seed)
    return plan_merging(graph, calibration, ratio, "outputs" if method == "merge" else "weights")


def _subsets(
    graph: ir.Model, calibration: Calibration, data: Samples, ratio: float, seed: int
) -> Pruning:
    kept, notes = {}, []
    for key, region in calibration.regions.items():
        if region.declined:
            notes.append(f"{region.label} stays whole: {region.declined}")
            continue
        count = max(region.least, 1, region.experts - int(ratio * region.experts + 1e-9))
        if count < region.experts:
            kept[key] = best_subset(graph, key, count, data.feeds(), seed=seed)[0]
    return Pruning(kept, notes=tuple(notes))
