"""Rounding of weights to integer codes, and back: the definition that kernels are tested against.

A weight matrix is [columns, depth]: row n holds the inputs of output n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.code_ranges import Search, find_ranges
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

CHUNK = 1 << 20
"""Weights that are rounded at a time: temporaries stay small and in the caches."""

SHRINKS = tuple(1.0 - 0.05 * i for i in range(7))
"""Factors of the largest magnitude that are tried as clipping range below 8 bits."""


@dataclass(frozen=True)
class Codes:
    """`codes` uint8 [columns, padded depth]; `scales` float32 and `zeros` uint8 [columns, groups].

    The weight is (code - zero) * scale. The padding holds the code of 0. `note` is what a rounder
    has to say about them, "" for nothing: why it did less than was asked.
    """

    codes: Array
    scales: Array
    zeros: Array
    note: str = ""

    def dequantise(self, depth: int) -> Array:
        """float32 [columns, depth]."""
        columns, groups = self.scales.shape
        codes = self.codes.reshape(columns, groups, -1).astype(np.float32)
        values = (codes - self.zeros[..., None].astype(np.float32)) * self.scales[..., None]
        return np.ascontiguousarray(values.reshape(columns, -1)[:, :depth])


Rounder = Callable[[Array, WeightFormat], Codes]
"""Makes codes of weights, float32 [columns, depth]; `quantise` is one."""


def quantise(weights: Array, given: WeightFormat) -> Codes:
    """Round weights [columns, depth] to nearest.

    Below 8 bits the clipping range of each group is the one of `SHRINKS` with the least squared
    error. Ternary codes are -1, 0, 1 times the mean magnitude of the group (BitNet b1.58, Ma et
    al., 2024, eq. 1 to 3). Scales of groups are bfloat16 numbers: that is how they are stored.
    """
    searched = given.zero_points or (given.bits < 8 and given.kind != "ternary")
    return round_with(weights, given, Search(SHRINKS if searched else (1.0,)))


def round_with(weights: Array, given: WeightFormat, search: Search) -> Codes:
    """Round weights float32 [columns, depth] to nearest, in the ranges that `search` finds."""
    return in_chunks(weights, lambda chunk: _round_chunk(chunk, given, search))


def in_chunks(weights: Array, round_chunk: Callable[[Array], Codes]) -> Codes:
    """The codes of weights [columns, depth], some columns at a time."""
    columns, depth = weights.shape
    step = max(1, CHUNK // max(depth, 1))
    parts = [round_chunk(weights[n : n + step]) for n in range(0, max(columns, 1), step)]
    return Codes(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.scales for part in parts]),
        np.concatenate([part.zeros for part in parts]),
    )


def _round_chunk(weights: Array, given: WeightFormat, search: Search) -> Codes:
    columns, depth = weights.shape
    group = given.group or max(depth, 1)
    groups = -(-depth // group)
    padded = np.zeros((columns, groups * group), np.float32)
    padded[:, :depth] = weights
    counts = np.minimum(depth - group * np.arange(groups), group)
    ranges = find_ranges(padded.reshape(columns, groups, group), counts, given, search)
    codes = ranges.codes.reshape(columns, groups * group)
    return Codes(codes, ranges.scales, ranges.zeros)
