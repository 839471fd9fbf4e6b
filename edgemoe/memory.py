"""The arena planner: an offset for every temporary, such that live ones never share bytes.

Offset assignment is the dynamic storage allocation problem (NP-hard). First fit over several
orders, then a seeded local search over orders, stops at the lower bound (the largest live set).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64
"""Every offset is a multiple of a cache line, so that two threads never write to one line."""

SEARCH_ROUNDS = 400
"""Orders tried by the local search before the best one is taken."""


@dataclass(frozen=True)
class Lifetime:
    """A temporary of `nbytes` that is live from step `first` to step `last`, both included."""

    nbytes: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """Tell whether both are live at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Arena:
    """`offsets` in bytes, one per lifetime; `nbytes` is the size of the arena."""

    offsets: tuple[int, ...]
    nbytes: int
    lower_bound: int


def plan_arena(lifetimes: Sequence[Lifetime], alignment: int = ALIGNMENT) -> Arena:
    """Place `lifetimes`; the result has been checked for overlaps."""
    sizes = [_aligned(lifetime.nbytes, alignment) for lifetime in lifetimes]
    aligned = [
        Lifetime(size, lifetime.first, lifetime.last)
        for size, lifetime in zip(sizes, lifetimes, strict=True)
    ]
    bound = lower_bound(aligned)
    conflicts = [
        [j for j, other in enumerate(aligned) if j != i and one.overlaps(other)]
        for i, one in enumerate(aligned)
    ]
    best_offsets: list[int] = []
    best_bytes = -1
    best_order: list[int] = []
    for order in _orders(aligned):
        offsets, nbytes = _first_fit(order, aligned, conflicts)
        if best_bytes < 0 or nbytes < best_bytes:
            best_offsets, best_bytes, best_order = offsets, nbytes, order
    chance = random.Random(0)
    for _ in range(SEARCH_ROUNDS if len(aligned) > 1 else 0):
        if best_bytes <= bound:
            break
        order = list(best_order)
        moved = order.pop(chance.randrange(len(order)))
        order.insert(chance.randrange(len(order) + 1), moved)
        offsets, nbytes = _first_fit(order, aligned, conflicts)
        if nbytes <= best_bytes:
            best_offsets, best_bytes, best_order = offsets, nbytes, order
    arena = Arena(tuple(best_offsets), max(best_bytes, 0), bound)
    check_arena(aligned, arena)
    return arena


def lower_bound(lifetimes: Sequence[Lifetime]) -> int:
    """The largest sum of live bytes over all steps: no arena can be smaller."""
    steps = {lifetime.first for lifetime in lifetimes}
    return max(
        (sum(x.nbytes for x in lifetimes if x.first <= step <= x.last) for step in steps), default=0
    )


def check_arena(lifetimes: Sequence[Lifetime], arena: Arena) -> None:
    """Raise AssertionError if two live temporaries share a byte or one leaves the arena."""
    placed = list(zip(lifetimes, arena.offsets, strict=True))
    for number, (one, start) in enumerate(placed):
        if start < 0 or start + one.nbytes > arena.nbytes:
            raise AssertionError(f"temporary {number} leaves the arena")
        for other_number, (other, other_start) in enumerate(placed[:number]):
            apart = start + one.nbytes <= other_start or other_start + other.nbytes <= start
            if not apart and one.overlaps(other):
                raise AssertionError(f"temporaries {other_number} and {number} share bytes")


def _aligned(nbytes: int, alignment: int) -> int:
    return -(-nbytes // alignment) * alignment


def _orders(lifetimes: Sequence[Lifetime]) -> list[list[int]]:
    numbers = range(len(lifetimes))

    def span(i: int) -> int:
        return lifetimes[i].last - lifetimes[i].first + 1

    keys = (
        lambda i: (-lifetimes[i].nbytes, -span(i)),
        lambda i: (-span(i), -lifetimes[i].nbytes),
        lambda i: (-lifetimes[i].nbytes * span(i), i),
        lambda i: (lifetimes[i].first, -lifetimes[i].nbytes),
        lambda i: (lifetimes[i].first, -span(i)),
    )
    return [sorted(numbers, key=key) for key in keys]


def _first_fit(
    order: Sequence[int], lifetimes: Sequence[Lifetime], conflicts: Sequence[Sequence[int]]
) -> tuple[list[int], int]:
    offsets = [-1] * len(lifetimes)
    total = 0
    for number in order:
        taken = sorted(
            (offsets[j], lifetimes[j].nbytes) for j in conflicts[number] if offsets[j] >= 0
        )
        at = 0
        for start, nbytes in taken:
            if start - at >= lifetimes[number].nbytes:
                break
            at = max(at, start + nbytes)
        offsets[number] = at
        total = max(total, at + lifetimes[number].nbytes)
    return offsets, total
