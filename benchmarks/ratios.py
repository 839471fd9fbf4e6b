"""Ratios of time, and who counts as a peer of what."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.conductor import Result

WORST_ERROR = 1.1
"""A peer whose error is more than this many times ours is shown, and does not count."""

ROUNDING = 1e-5
"""Errors below this are float32 arithmetic in another order; all of them are as good."""

Rounds = Sequence[float]


def median_ratio(ours: Rounds, theirs: Rounds) -> float:
    """Median over the rounds of our time over theirs; below 1 we are faster.

    Rounds that only one of them has (it died) are left out.
    """
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=False))


def as_accurate(theirs: float, ours: float) -> bool:
    """Whether an error is low enough to be compared with ours; NaN is not."""
    return theirs <= max(WORST_ERROR * ours, ROUNDING)


@dataclass(frozen=True)
class Best:
    """The fastest peer with the same bits per weight and no worse an error than one of ours."""

    ours: Result
    peer: Result | None  # None: no peer that counts
    ratio: float | None  # our time / its time


def best_peer(ours: Result, results: Sequence[Result]) -> Best:
    """Choose by the median ratio, so that the choice and the figure come from the same rounds."""
    assert ours.error is not None
    ranked = [
        (median_ratio(ours.rounds_us, result.rounds_us), result)
        for result in results
        if result.contestant.peer != "ours"
        and result.failed is None
        and result.contestant.bits == ours.contestant.bits
        and result.error is not None
        and as_accurate(result.error, ours.error)
    ]
    if not ranked:
        return Best(ours, None, None)
    ratio, peer = max(ranked, key=lambda pair: pair[0])
    return Best(ours, peer, ratio)


def best_peers(results: Sequence[Result]) -> list[Best]:
    """The comparison for each of ours that ran."""
    return [
        best_peer(result, results)
        for result in results
        if result.contestant.peer == "ours" and result.failed is None
    ]
