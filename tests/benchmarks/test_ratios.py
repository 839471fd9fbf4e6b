"""Which peer counts, and the ratio to it, from made-up times."""

from __future__ import annotations

import math

import pytest

from benchmarks.conductor import Result
from benchmarks.contestant import Contestant
from benchmarks.ratios import as_accurate, best_peer, best_peers, median_ratio


def result(
    peer: str, format_: str, rounds: list[float], error: float = 0.1, failed: str | None = None
) -> Result:
    return Result(Contestant(peer, f"way {format_}", format_), failed, error, 1.0, rounds)


def test_the_ratio_is_the_median_of_rounds_not_of_times() -> None:
    """A slow minute hits both: the rounds say 0.5, the medians of the times 0.75."""
    assert median_ratio([1.0, 1.5, 10.0], [2.0, 3.0, 2.0]) == 0.5


def test_rounds_after_a_death_are_left_out() -> None:
    assert median_ratio([1.0, 1.0, 9.0], [2.0, 2.0]) == 0.5


@pytest.mark.parametrize(
    ("theirs", "ours", "counts"),
    [
        (0.11, 0.1, True), (0.12, 0.1, False), (0.0, 0.1, True), (9e-6, 1e-8, True),
        (2e-5, 1e-8, False), (math.nan, 0.1, False),
    ],
)  # fmt: skip
def test_what_is_as_accurate(theirs: float, ours: float, counts: bool) -> None:
    assert as_accurate(theirs, ours) is counts


def test_best_peer_has_as_many_bits_and_no_worse_error() -> None:
    ours = result("ours", "i8", [10.0, 10.0])
    slow, fast = result("a", "i8", [30.0, 30.0]), result("b", "i8", [20.0, 20.0])
    wrong = result("c", "i8", [1.0, 1.0], error=0.2)
    fewer = result("d", "i4", [1.0, 1.0])
    dead = result("e", "i8", [1.0, 1.0], failed="ended")
    best = best_peer(ours, [ours, slow, fast, wrong, fewer, dead])
    assert best.peer is fast
    assert best.ratio == 0.5


def test_group_sizes_and_both_halves_are_compared_with_each_other() -> None:
    grouped, plain = result("ours", "i4.g64", [1.0]), result("a", "i4", [2.0])
    half, other = result("ours", "bf16", [1.0]), result("a", "f16", [4.0])
    best = best_peers([grouped, plain, half, other])
    assert [(b.peer, b.ratio) for b in best] == [(plain, 0.5), (other, 0.25)]


def test_without_a_peer_there_is_no_ratio() -> None:
    ours = result("ours", "f32", [1.0])
    assert best_peer(ours, [ours]).ratio is None
    assert best_peers([result("ours", "i8", [], failed="OptionError: not yet")]) == []
