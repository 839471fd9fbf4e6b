"""Packing of weights that multiply from the left: row by row, in as few bytes as their bits take.

Floats of 16 bits lie as [rows][depth]. Integer codes lie as the words of `panels`, [rows][groups]
[words of a group]; behind all of them the scales [rows][groups], bfloat16 with groups and float32
without, and behind those the zero points, where the format has some, as int8 [rows][groups] (of
8-bit codes minus 128). Products do not read them like that, but what `unpack_rows` makes of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.bfloat16 import to_bfloat16
from edgemoe.quantise import Rounder, quantise
from edgemoe.targets.kernels.panels import group_count, group_words, join_codes
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]


def part_bytes(rows: int, depth: int, given: WeightFormat) -> tuple[int, ...]:
    """Bytes of the codes (or floats), and of the scales and the zero points, where there are some.

    Parts follow each other without a gap.
    """
    if not given.is_integer:
        return (rows * depth * given.bits // 8,)
    facts = rows * group_count(depth, given)
    codes = 4 * facts * group_words(depth, given)
    scales = facts * (2 if given.group else 4)
    return (codes, scales, facts) if given.zero_points else (codes, scales)


def pack_rows(weights: Array, given: WeightFormat, rounder: Rounder = quantise) -> Array:
    """Weights [rows, depth] -> uint8 [sum of `part_bytes`]; codes come from `rounder`."""
    floats = np.ascontiguousarray(weights, np.float32)
    if not given.is_integer:
        if given.kind == "bfloat16":
            floats = to_bfloat16(floats)
        elif given.kind == "float16":
            floats = floats.astype(np.float16)
        return floats.reshape(-1).view(np.uint8)
    coded = rounder(floats, given)
    scales = to_bfloat16(coded.scales) if given.group else coded.scales
    parts = [join_codes(coded, weights.shape[1], given), np.ascontiguousarray(scales)]
    if given.zero_points:
        moved = coded.zeros.astype(np.int16) - (128 if given.bits == 8 else 0)
        parts.append(moved.astype(np.int8))
    return np.concatenate([part.reshape(-1).view(np.uint8) for part in parts])
