"""Moves a limit of the integer program per judged output, each to the last that keeps its promise.

With one limit on the summed error of all outputs the strictest metric decides how coarse every
layer may be, also those that it does not see. MixDQ (Zhao et al., 2024, sec. 4) gives layers that
hurt different metrics budgets of their own. Here each output's summed error has a limit, and one
judgement of a candidate moves all of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.candidates import Candidate
from edgemoe.compression.goal import Goal
from edgemoe.compression.moving_limit import (
    DECADES,
    NEAR,
    STEPS,
    Bound,
    between,
    largest_error,
    over_promise,
)
from edgemoe.compression.output_loss import OutputLoss
from edgemoe.compression.search import NOISE, Measured, Search

ROUNDS = 2 * STEPS
"""Candidates that are tried: what one output gives up another may use, so that limits move again.
They move side by side, whatever their number."""


@dataclass
class Limit:
    """What is known of the largest summed error of one output that keeps its promise."""

    low: Bound
    high: Bound
    place: float  # the logarithm of the limit that is tried
    holds: bool = False  # the promise was kept at `low`

    @classmethod
    def below(cls, place: float) -> Limit:
        """Nothing is known but the largest error that there can be."""
        return cls(Bound(place - DECADES), Bound(place), place)

    @property
    def settled(self) -> bool:
        """Tell whether another limit is as good as the same."""
        return self.high.place - self.low.place < NEAR

    def kept(self, lost: float | None) -> None:
        """The limit that was tried keeps the promise, with so much lost over it."""
        self.low, self.holds = Bound(self.place, lost), True

    def broke(self, reached: float, lost: float | None) -> None:
        """An error of `reached` (its logarithm) breaks the promise, with so much lost over it."""
        self.high = Bound(min(reached, self.place), lost)
        if self.high.place <= self.low.place:  # it held when other outputs had other limits
            self.low, self.holds = Bound(self.high.place - DECADES), False

    def move(self, *, halve: bool, back: bool) -> None:
        """Choose what is tried next; `back`: what kept the promise, where that is known."""
        if self.settled or (back and self.holds):
            self.place = self.low.place
        else:
            self.place = between(self.low, self.high, halve=halve)


def largest_errors(search: Search, goal: Goal, deadline: float = float("inf")) -> Measured:
    """The smallest candidate of the integer program that keeps the promise for every output.

    Once something smaller than the best is found, no more is tried after the deadline. Leaves the
    limits in `search.error_limits`. Where errors add up to so much more than their sums that no
    limits are found, one limit on all of them shrinks all.
    """
    best = search.measure(search.best)
    if not search.units:  # every weight is too small to have a format
        return best
    limits = [Limit.below(float(np.log(each + NOISE))) for each in _largest_sums(search)]
    for step in range(ROUNDS):
        search.show("integer programs, a limit per output", step, ROUNDS)
        late = time.monotonic() > deadline
        if best.candidate != search.best and late:
            break
        aimed = all(limit.settled for limit in limits)
        candidate = search.within_errors(np.exp([limit.place for limit in limits]))
        found = _judged(search, candidate, goal, limits)
        if found is not None:
            best = min(best, found, key=lambda m: m.cost)
            if step == 0 or aimed:  # nothing is left to gain
                break
        for limit in limits:
            limit.move(halve=step % 3 == 2, back=late)
    search.error_limits = np.exp([limit.low.place for limit in limits])
    return largest_error(search, goal, deadline) if best.candidate == search.best else best


def _largest_sums(search: Search) -> NDArray[np.float64]:
    """The largest summed error of each output, float64 [outputs]."""
    allowed = search.tables()[3]
    errors = np.where(allowed[..., None], search.table_by_output(), 0.0)
    found: NDArray[np.float64] = errors.max(1).sum(0)
    return found


def _judged(
    search: Search, candidate: Candidate, goal: Goal, limits: list[Limit]
) -> Measured | None:
    """Judge a candidate and narrow all limits by it; returns it where it keeps every promise.

    A few samples only tell which outputs break theirs; the limits of the others stay.
    """
    assert goal.max_loss is not None
    reached = np.log(search.predicted_by_output(candidate) + NOISE)
    names = list(search.judge.metrics)
    broken = search.refused_by(candidate, goal)
    if broken:
        for name, limit, error in zip(names, limits, reached, strict=True):
            if name in broken:
                limit.broke(float(error), None)
        return None
    found, fits = search.measure(candidate), True
    for name, limit, error in zip(names, limits, reached, strict=True):
        own = _compared(found.verdict.losses[name], goal)
        over = over_promise(own, goal.max_loss)
        if own <= goal.max_loss:
            limit.kept(over)
        else:
            limit.broke(float(error), over)
            fits = False
    return found if fits else None


def _compared(own: OutputLoss, goal: Goal) -> float:
    """What is compared with the promise in a search."""
    return own.counted_high if goal.confident else own.shifted(goal.margin)
