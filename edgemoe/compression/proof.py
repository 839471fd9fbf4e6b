"""The proof part: what the search found is judged on data that it did not see."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.retreat import STEP, retreat
from edgemoe.compression.search import Measured, Search

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

RETREATS = 9
"""How often a smaller promise is aimed at, per judged output, when the proof part refuses a
candidate."""

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
    current, late, refusals = found, 0, Counter[str]()
    most = RETREATS * len(found.verdict.losses)
    for attempt in range(most + 1):
        show("proof", attempt, most + 1)
        verdict = search.judge_on(proof, current.candidate)
        if goal.holds(verdict) or current.candidate == search.best:
            return current, verdict
        late += time.monotonic() > deadline
        if late > LATE:
            break
        broken = goal.broken(verdict)
        refusals.update(broken)
        # With no time for a retreat of each output in turn all of them lose less.
        shares = {
            name: STEP ** max(refusals[name], 1) * LATE_STEP**late
            for name in (verdict.losses if late else broken)
        }
        current = retreat(search, goal, current, shares, deadline)
    verdict = search.judge_on(proof, search.best)
    return search.measure(search.best), verdict
