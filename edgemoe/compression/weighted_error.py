"""The error that rounded weights make in a product, and the group that a matrix is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.rounding import clip_search
from edgemoe.quantise import Codes
from edgemoe.weight_format import GROUPS, WeightFormat

Array = NDArray[Any]

SCALE_BITS = 16
"""Bits of a group's scale; a zero point takes as many more."""


def weighted_error(rows: Array, codes: Codes, gram: Array | None) -> float:
    """tr((W - W') G (W - W')^T): the squared error of the product over the rows that made G.

    Args:
        rows: the weights W, [columns, depth].
        codes: their rounding W'.
        gram: G, [depth, depth]; None: the squared error of the weights themselves.
    """
    lost = rows.astype(np.float64) - codes.dequantise(rows.shape[1])
    weighted = lost if gram is None else lost @ gram
    return float(np.sum(weighted * lost))


def best_group(
    rows: Array, given: WeightFormat, gram: Array | None, groups: Sequence[int] = GROUPS
) -> WeightFormat:
    """`given` with the group that is worth its bytes for these weights.

    Scales cost bytes as codes do, and a bit more per code would lower the squared error by 4 (6
    dB). A smaller group is taken where it lowers the error by more than its bytes would have done
    so: the least error * 4^(bits per weight). FineQuant (Kim et al., 2023) halves the
    group of a matrix while its ranges shrink with it; here the error itself decides.

    Args:
        rows: the weights, float32 [columns, depth].
        given: an integer format.
        gram: see `weighted_error`.
        groups: those to choose from; of equal ones the larger is taken.

    Raises:
        ValueError: there are no groups.
    """
    depth = rows.shape[1]
    importance = None if gram is None else np.diagonal(gram)

    def cost(asked: WeightFormat) -> float:
        error = weighted_error(rows, clip_search(rows, asked, importance), gram)
        scale = SCALE_BITS * (1 + asked.zero_points)
        bits = (asked.bits * asked.group + scale) * -(-depth // asked.group) / depth
        return float(error * 4.0**bits)

    return min((replace(given, group=g) for g in sorted(groups, reverse=True)), key=cost)
