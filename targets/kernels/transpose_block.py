"""A small transpose in registers: n rows of n elements, n a vector of at most eight."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels.vector_math import register


def _interleave(n: int, width: int, high: bool) -> list[int]:
    """Pick units of `width` in turn from two vectors, the low or high half of every 128 bits."""
    lane = 4  # float32 in 128 bits: x86 shuffles cross them only as wholes
    picks = []
    for begin in range(0, n, lane):
        half = begin + (lane // 2 if high else 0)
        for unit in range(half, half + lane // 2, width):
            for source in (0, n):
                picks += [source + unit + i for i in range(width)]
    return picks


def transposed(rows: Sequence[Expr]) -> list[Expr]:
    """Columns of a 1x1, 4x4 or 8x8 block of float32 whose rows are given as vectors.

    Three rounds of shuffles (two for 4x4): pairs of elements, pairs of pairs, halves.
    """
    n = len(rows)
    if n == 1:
        return list(rows)
    if n not in (4, 8):
        raise AssertionError(f"{n} rows")
    low, high = _interleave(n, 1, False), _interleave(n, 1, True)
    first = [_shuffle(rows[i], rows[i + 1], picks) for i in range(0, n, 2) for picks in (low, high)]
    # first[2i], first[2i + 1] hold rows 2i and 2i + 1: elements 0, 1 (and 4, 5), and 2, 3 (6, 7).
    low, high = _interleave(n, 2, False), _interleave(n, 2, True)
    second = []
    for group in range(0, n, 4):
        a, b, c, d = first[group : group + 4]
        second += [_shuffle(a, c, low), _shuffle(a, c, high),
                   _shuffle(b, d, low), _shuffle(b, d, high)]  # fmt: skip
    if n == 4:
        return second
    halves = ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])
    return [_shuffle(second[i], second[i + 4], half) for half in halves for i in range(4)]


def _shuffle(a: Expr, b: Expr, picks: Sequence[int]) -> Expr:
    return register(tirx.Shuffle([a, b], [tirx.const(p, "int32") for p in picks]))
