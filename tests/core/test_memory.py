from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgemoe.memory import ALIGNMENT, Arena, Lifetime, check_arena, lower_bound, plan_arena

LIFETIMES = st.lists(
    st.builds(
        lambda nbytes, first, length: Lifetime(nbytes, first, first + length),
        st.integers(1, 5000), st.integers(0, 30), st.integers(0, 12),
    ),
    max_size=40,
)  # fmt: skip


def overlapping(lifetimes, arena):
    """The slow, obvious check: paint every byte of every step."""
    painted = {}
    for number, (lifetime, offset) in enumerate(zip(lifetimes, arena.offsets, strict=True)):
        for step in range(lifetime.first, lifetime.last + 1):
            for unit in range(offset // ALIGNMENT, -(-(offset + lifetime.nbytes) // ALIGNMENT)):
                if painted.setdefault((step, unit), number) != number:
                    return True
    return False


@settings(max_examples=150, deadline=None)
@given(LIFETIMES)
def test_live_temporaries_never_share_bytes(lifetimes):
    arena = plan_arena(lifetimes)
    assert not overlapping(lifetimes, arena)
    assert all(offset % ALIGNMENT == 0 for offset in arena.offsets)
    assert all(
        offset + lifetime.nbytes <= arena.nbytes
        for lifetime, offset in zip(lifetimes, arena.offsets, strict=True)
    )
    assert arena.lower_bound <= arena.nbytes or not lifetimes


@settings(max_examples=100, deadline=None)
@given(LIFETIMES)
def test_lower_bound_is_the_largest_live_set(lifetimes):
    steps = range(60)
    live = [sum(x.nbytes for x in lifetimes if x.first <= s <= x.last) for s in steps]
    assert lower_bound(lifetimes) == max(live, default=0)


@settings(max_examples=100, deadline=None)
@given(LIFETIMES.filter(bool), st.data())
def test_the_checker_finds_planted_overlaps(lifetimes, data):
    arena = plan_arena(lifetimes)
    pairs = [
        (i, j)
        for i, one in enumerate(lifetimes)
        for j, other in enumerate(lifetimes)
        if i != j and one.overlaps(other)
    ]
    if not pairs:
        return
    i, j = data.draw(st.sampled_from(pairs))
    offsets = list(arena.offsets)
    offsets[i] = offsets[j]
    with pytest.raises(AssertionError, match=r"share bytes|leaves the arena"):
        check_arena(lifetimes, Arena(tuple(offsets), arena.nbytes, arena.lower_bound))


def test_a_chain_of_layers_needs_two_buffers():
    chain = [Lifetime(64 * (1 + i % 3), i, i + 1) for i in range(20)]
    arena = plan_arena(chain)
    assert arena.nbytes == arena.lower_bound == 64 * 5


def test_search_beats_every_greedy_order():
    # A case where first fit by size, by length and by start all leave a hole.
    lifetimes = [
        Lifetime(n * 64, a, b)
        for n, a, b in [(3, 0, 2), (2, 1, 4), (4, 3, 6), (1, 2, 5), (3, 5, 8), (2, 6, 9), (5, 8, 9)]
    ]
    assert plan_arena(lifetimes).nbytes == lower_bound(lifetimes)


def test_nothing_to_place():
    assert plan_arena([]) == Arena((), 0, 0)
