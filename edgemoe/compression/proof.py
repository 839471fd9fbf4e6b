"""The proof part: what the search found is judged on data that it did not see."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.search import NOISE, Measured, Search

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

RETREATS = 9
"""How often a smaller promise is aimed at when the proof part refuses a candidate."""

STEP = 0.7
"""The next candidate has so much less of the loss and of the squared error; every retreat is a
longer one, so that the last is about as good as 16 bits."""


PROPOSALS = 6
"""Integer programs that are solved for one retreat."""

NOTHING = 0.02
"""Of the promise: what loses no more need not lose less, or no format but float32 would be left."""

LATE, LATE_STEP = 3, 0.3
"""Retreats after the deadline, of one integer program each, and how much longer each is."""


def proven(
    search: Search, goal: Goal, found: Measured, proof: Judge, show: Progress,
    deadline: float = float("inf"),
) -> tuple[Measured, Verdict]:  # fmt: skip
    """Of the candidates of the search, the smallest that also keeps its promise on the proof part.

    Each that fails makes the next one lose less on the search part. After the deadline a few long
    steps are left, then float32, which loses nothing.
    """
    current, late = found, 0
    for attempt in range(RETREATS + 1):
        show("proof", attempt, RETREATS + 1)
        verdict = search.judge_on(proof, current.candidate)
        if goal.holds(verdict) or current.candidate == search.best:
            return current, verdict
        late += time.monotonic() > deadline
        if late > LATE:
            break
        share = STEP ** (attempt + 1) * LATE_STEP**late
        current = retreat(search, goal, current, share, deadline)
    verdict = search.judge_on(proof, search.best)
    return search.measure(search.best), verdict


def retreat(
    search: Search, goal: Goal, refused: Measured, share: float = STEP,
    deadline: float = float("inf"),
) -> Measured:  # fmt: skip
    """The smallest candidate that loses clearly less than one that the proof refused.

    One of those that the search has judged, or what the integer program makes of less error.
    """
    assert goal.max_loss is not None
    limit = max(share * max(refused.verdict.counted, 0.25 * goal.max_loss), NOTHING * goal.max_loss)
    error = share * refused.verdict.error

    def fits(m: Measured) -> bool:
        verdict = m.verdict
        return verdict.counted <= limit and verdict.error <= error and m.nbytes > refused.nbytes

    predicted = share * search.predicted(refused.candidate)
    for _ in range(PROPOSALS):  # errors that are summed are not those that are measured
        made = search.measure(search.within_error(predicted))
        if fits(made) or made.candidate == search.best or time.monotonic() > deadline:
            break
        predicted *= min(0.5, error / max(made.verdict.error, NOISE))
    fitting = [m for m in search.archive.values() if fits(m)]
    return min(fitting, key=lambda m: m.nbytes, default=search.measure(search.best))
