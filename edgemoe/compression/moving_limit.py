"""Moves the limit of the integer program to the last that keeps the promise, judged end to end."""

from __future__ import annotations

import time

import numpy as np

from edgemoe.compression.goal import Goal
from edgemoe.compression.search import NOISE, Measured, Search

STEPS = 10
"""Limits that are tried between nothing and everything."""

NEAR = float(np.log(1.05))
"""Logarithm of the factor between two limits that are as good as the same; swaps do the rest."""

DECADES = float(np.log(1e6))
"""Logarithm of how far below the largest sum of errors the limit may lie."""


def largest_error(search: Search, goal: Goal, deadline: float = float("inf")) -> Measured:
    """The smallest candidate of the integer program that keeps the promise.

    The limit is placed where loss and error would be if they were in proportion, so that few
    candidates are judged. Once something smaller than the best is found, no more is tried after the
    deadline.
    """
    best = search.measure(search.best)
    if not search.units:  # every weight is too small to have a format
        return best
    assert goal.max_loss is not None
    _, _, errors, allowed = search.tables()
    high = float(np.log(np.where(allowed, errors, 0.0).max(1).sum() + NOISE))
    low, middle = high - DECADES, high
    for step in range(STEPS):
        search.show("integer programs", step, STEPS)
        if high - low < NEAR or (best.candidate != search.best and time.monotonic() > deadline):
            break
        candidate = search.within_error(float(np.exp(middle)))
        lost = None
        if search.may_keep(candidate, goal):
            found = search.measure(candidate)
            lost = found.verdict.counted + goal.margin * found.verdict.standard_error
            if search.keeps(found, goal):
                low = middle
                best = min(best, found, key=lambda m: m.cost)
                if step == 0:
                    break
            else:
                high = middle
        else:
            high = middle
        middle = _next(low, high, middle, lost, goal.max_loss)
    return best


def _next(low: float, high: float, last: float, lost: float | None, promised: float) -> float:
    """Where a loss in proportion to the error would meet the promise, well inside the bounds."""
    middle = (low + high) / 2
    if lost is None or not lost > 0:
        return middle
    aimed = last + float(np.log(promised / lost))
    margin = 0.1 * (high - low)
    return min(max(aimed, low + margin), high - margin)
