"""Rounding of weights that looks at the inputs they meet: a better clipping range, and GPTQ.

The inputs come as their Gram matrix G = sum of x x^T over the rows that a product saw, [depth,
depth]: the squared error of the product is tr((W - W') G (W - W')^T). Every function returns codes
under the same rules as `quantise`, and is a `Rounder` once its Gram matrix is bound to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.code_ranges import Search
from edgemoe.compression.compensation import GroupCodes, compensate
from edgemoe.compression.curvature import DAMPING, NoCurvature, curvature_of
from edgemoe.quantise import Codes, in_chunks, round_with
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

FACTORS = tuple(float(f) for f in np.linspace(1.0, 0.475, 8))
"""Ranges that are tried, as factors of the one that holds every weight."""

FINER = (0.95, 0.975, 1.025, 1.05)
"""Factors of the best of these that are tried next."""

TERNARY_FACTORS = tuple(float(f) for f in np.linspace(0.6, 2.0, 8))
"""Scales that are tried for ternary codes, as factors of the mean magnitude."""

REFITS = 2
"""Least-squares fits of a scale to the codes that it made."""


def clip_search(rows: Array, given: WeightFormat, importance: Array | None = None) -> Codes:
    """Round to nearest in the range of least error, sum over k of importance[k] * (w - w')[k]^2.

    Args:
        rows: weights, float32 [columns, depth].
        given: an integer format.
        importance: [depth], not negative: the diagonal of the Gram matrix. None: all are equal.

    Raises:
        ValueError: the importance has another size than the rows, or is negative or not finite.
    """
    if importance is None:
        return round_with(rows, given, _search(rows.shape[1], given, None))
    if importance.shape != rows.shape[1:]:
        raise ValueError(f"importance of {importance.shape} for weights of {rows.shape}")
    if not np.isfinite(importance).all() or (importance < 0).any():
        raise ValueError("importance has to be finite, and not negative")
    relative = importance / (float(np.mean(importance)) or 1.0) + DAMPING
    return round_with(rows, given, _search(rows.shape[1], given, relative))


def gptq(
    rows: Array, given: WeightFormat, gram: Array | None, *, damping: float = DAMPING
) -> Codes:
    """Round one input after another, each time moving the weights that are left to make up for it.

    GPTQ (Frantar et al., ICLR 2023, algorithm 1). The range of a group is searched when the group
    begins, on the weights as they have been moved by then. Inside a group, the inputs with the
    largest share of the error come first.

    Args:
        rows: weights, float32 [columns, depth].
        given: an integer format.
        gram: float [depth, depth], symmetric; None: no row was seen.
        damping: added to the diagonal, in units of its mean; raised where that is not enough.

    Returns:
        Codes; where the Gram matrix is of no use those of `clip_search`, and a `note` of why.

    Raises:
        ValueError: the Gram matrix has another size than the rows.
    """
    depth = rows.shape[1]
    group = given.group or max(depth, 1)
    curvature = curvature_of(gram, depth, group, damping)
    if isinstance(curvature, NoCurvature):
        nearest = clip_search(rows, given, curvature.importance)
        return replace(nearest, note=f"{curvature.why}: rounded to nearest")
    search = _search(depth, given, curvature.importance)

    def round_chunk(chunk: Array) -> Codes:
        chooser = GroupCodes(len(chunk), depth, given, search)
        compensate(chunk, group, curvature, chooser)
        return chooser.result()

    return in_chunks(rows, round_chunk)


def _search(depth: int, given: WeightFormat, importance: Array | None) -> Search:
    """The fine search of ranges, with importance [depth] as it lies in groups."""
    factors = TERNARY_FACTORS if given.kind == "ternary" else FACTORS
    if importance is None:
        return Search(factors, None, REFITS, FINER)
    return Search(factors, in_groups(importance, given.group or max(depth, 1)), REFITS, FINER)


def in_groups(importance: Array, group: int) -> Array:
    """Importance [depth] -> float32 [groups, group] with a mean of 1, zeros at the end."""
    depth = len(importance)
    groups = -(-depth // group)
    weights = np.zeros(groups * group, np.float32)
    weights[:depth] = importance / np.mean(importance)
    return weights.reshape(groups, group)
