"""Swaps formats between units as long as that finds something better, judged end to end.

Summed errors are not monotone in the real loss (EvoPress, Sieberling et al., 2024, sec. 3).
"""

from __future__ import annotations

import time

import numpy as np

from edgemoe.compression.candidates import Candidate
from edgemoe.compression.goal import Goal
from edgemoe.compression.search import NOISE, Measured, Search

SUGGESTED = 6
"""Swaps that are drawn, of which the one that the sensitivities like best is tried."""


def evolve(search: Search, start: Measured, goal: Goal, deadline: float) -> Measured:
    """The best that swaps from `start` on find before the deadline."""
    chance = np.random.default_rng(goal.seed)
    best, tried, failures = start, 0, 0
    most = 30 * len(search.units)
    while time.monotonic() < deadline and failures < 4 * len(search.units) and tried < most:
        search.show("swaps", tried, most)
        tried += 1
        child = _suggested(search, best.candidate, goal, chance)
        if child is None or not _passes_screen(search, child, best, goal):
            failures += 1
            continue
        found = search.measure(child)
        if _is_better(search, found, best, goal):
            best, failures = found, 0
        else:
            failures += 1
    return best


def _suggested(
    search: Search, parent: Candidate, goal: Goal, chance: np.random.Generator
) -> Candidate | None:
    """Of some mutants that are new, the one with the least error and bytes, as predicted."""
    drawn = [_mutant(search, parent, goal, chance) for _ in range(SUGGESTED)]
    fresh = [child for child in drawn if child is not None and child not in search.archive]
    error, cost = max(search.predicted(parent), NOISE), max(search.cost_of(parent), 1e-30)
    return min(
        fresh, default=None,
        key=lambda child: search.predicted(child) / error + search.cost_of(child) / cost,
    )  # fmt: skip


def _passes_screen(search: Search, child: Candidate, best: Measured, goal: Goal) -> bool:
    """Try a candidate on a few samples first; most swaps that fail do so at once."""
    if goal.max_loss is not None:
        return search.may_keep(child, goal)
    return search.may_be_nearer(child, best)


def _is_better(search: Search, found: Measured, best: Measured, goal: Goal) -> bool:
    if not search.keeps(found, goal):
        return False
    if goal.max_loss is not None:
        return found.cost < best.cost
    return found.verdict.error < best.verdict.error


def _mutant(
    search: Search, parent: Candidate, goal: Goal, chance: np.random.Generator
) -> Candidate | None:
    """One or two units down, and at times another one up, to fewer bytes or a like number."""
    child = parent
    for _ in range(int(chance.integers(1, 3))):
        child = _step(search, child, chance, down=True) or child
    if chance.random() < 0.7:
        child = _step(search, child, chance, down=False) or child
    if child == parent:
        return None
    if goal.max_loss is not None:
        return child if search.cost_of(child) < search.cost_of(parent) else None
    assert goal.max_bytes is not None
    return child if search.bytes_of(child) <= goal.max_bytes else None


def _step(
    search: Search, parent: Candidate, chance: np.random.Generator, *, down: bool
) -> Candidate | None:
    """Another format for one unit: the next smaller or larger in cost, at times farther."""
    number = int(chance.integers(len(search.units)))
    unit = search.units[number]
    now = search.unit_cost(unit, parent.formats[number])
    others = sorted(
        (
            (search.unit_cost(unit, given), index, given)
            for index, given in enumerate(search.choices[number])
            if (search.unit_cost(unit, given) < now) == down and given != parent.formats[number]
        ),
        reverse=down,
    )
    if not others:
        return None
    place = min(int(chance.geometric(0.6)) - 1, len(others) - 1)
    return parent.with_format(number, others[place][2])
