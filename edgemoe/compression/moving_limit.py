"""Moves the limit of the integer program to the last that keeps the promise, judged end to end."""

from __future__ import annotations

import time
from dataclasses import dataclass

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

    The limit is placed where the losses that are known put it, so that few candidates are judged.
    Once something smaller than the best is found, no more is tried after the deadline.
    """
    best = search.measure(search.best)
    if not search.units:  # every weight is too small to have a format
        return best
    _, _, errors, allowed = search.tables()
    high = Bound(float(np.log(np.where(allowed, errors, 0.0).max(1).sum() + NOISE)))
    low, place = Bound(high.place - DECADES), high.place
    for step in range(STEPS):
        search.show("integer programs", step, STEPS)
        if best.candidate != search.best and time.monotonic() > deadline:
            break
        candidate = search.within_error(float(np.exp(place)))
        tried, fits = Bound(place), False
        if search.may_keep(candidate, goal):
            found = search.measure(candidate)
            tried = Bound(place, _lost(found, goal))
            if fits := search.keeps(found, goal):
                best = min(best, found, key=lambda m: m.cost)
        if fits and step == 0:  # nothing is left to gain
            break
        low, high = (tried, high) if fits else (low, tried)
        if high.place - low.place < NEAR:
            break
        place = between(low, high, halve=step % 3 == 2)
    return best


@dataclass(frozen=True)
class Bound:
    """The logarithm of a limit, and of what was lost there over the promise, where it is known."""

    place: float
    lost: float | None = None


def _lost(found: Measured, goal: Goal) -> float | None:
    assert goal.max_loss is not None
    return over_promise(found.verdict.shifted(goal.margin), goal.max_loss)


def over_promise(lost: float, promised: float) -> float | None:
    """The logarithm of a loss over what is promised; None where there is no such thing."""
    return float(np.log(lost / promised)) if lost > 0 and promised > 0 else None


def between(low: Bound, high: Bound, *, halve: bool) -> float:
    """Where to try next, well inside the bounds: where a power of the error meets the promise.

    With one loss alone, in proportion; with none, or to `halve`, in the middle.
    """
    width = high.place - low.place
    middle = low.place + width / 2
    if halve:
        return middle
    if low.lost is not None and high.lost is not None and high.lost > low.lost:
        aimed = low.place - low.lost * width / (high.lost - low.lost)
    elif high.lost is not None:
        aimed = high.place - high.lost
    elif low.lost is not None:
        aimed = low.place - low.lost
    else:
        return middle
    return float(np.clip(aimed, low.place + 0.05 * width, high.place - 0.05 * width))
