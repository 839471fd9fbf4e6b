"""Rounding of weights that looks at the inputs they meet: a better clipping range, and GPTQ.

The inputs come as their Gram matrix G = sum of x x^T over the rows that a product saw, [depth,
depth]: the squared error of the product is tr((W - W') G (W - W')^T). Every function returns codes
under the same rules as `quantise`, and is a `Rounder` once its Gram matrix is bound to it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.code_ranges import Search
from edgemoe.compression.compensation import compensate
from edgemoe.compression.inverse_root import inverse_root
from edgemoe.quantise import Codes, in_chunks, round_with
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

FACTORS = tuple(float(f) for f in np.linspace(1.05, 0.45, 25))
"""Ranges that are tried, as factors of the one that holds every weight."""

TERNARY_FACTORS = tuple(float(f) for f in np.linspace(0.6, 2.0, 15))
"""Scales that are tried for ternary codes, as factors of the mean magnitude."""

REFITS = 2
"""Least-squares fits of a scale to the codes that it made."""

DAMPING = 0.01
"""What is added to the diagonal of a Gram matrix, in units of its mean: of inputs that calibration
never saw active, the weights stay near theirs."""

HIGHER_DAMPINGS = (1.0, 10.0, 100.0)
"""Factors of the damping that are tried until the Gram matrix can be factorised."""


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
        Codes. Where the Gram matrix is of no use they are those of `clip_search`, and their `note`
        says why.

    Raises:
        ValueError: the Gram matrix has another size than the rows.
    """
    depth = rows.shape[1]
    if gram is None:
        return replace(clip_search(rows, given), note="no row was seen: rounded to nearest")
    if gram.shape != (depth, depth):
        raise ValueError(f"a Gram matrix of {gram.shape} for weights of {rows.shape}")
    diagonal = np.diagonal(gram)
    if why := _useless(gram):
        return replace(clip_search(rows, given), note=f"{why}: rounded to nearest")
    order = _order(diagonal, given)
    ordered = gram[np.ix_(order, order)]
    for factor in HIGHER_DAMPINGS:
        root = inverse_root(ordered, damping * factor)
        if root is not None:
            # An input's error counts as much as what the inputs behind it cannot make up for.
            importance = np.empty(depth)
            importance[order] = np.diagonal(root) ** -2.0
            search = _search(depth, given, importance)
            step = partial(compensate, given=given, root=root, order=order, search=search)
            return in_chunks(rows, step)
    why = f"a Gram matrix with negative eigenvalues, beyond {HIGHER_DAMPINGS[-1] * damping:g}"
    return replace(
        clip_search(rows, given, diagonal), note=f"{why} of its mean: rounded to nearest"
    )


def _useless(gram: Array) -> str:
    """Why nothing can be learnt from a Gram matrix, "" where something can."""
    diagonal = np.diagonal(gram)
    if not np.isfinite(gram).all():
        return "the Gram matrix is not finite"
    if (diagonal < 0).any():
        return "the Gram matrix has a negative diagonal"
    return "" if diagonal.any() else "every input was 0"


def _order(diagonal: Array, given: WeightFormat) -> Array:
    """Inputs in the order of rounding: group by group, the largest of a group first."""
    depth = len(diagonal)
    group = given.group or max(depth, 1)
    parts = [
        start + np.argsort(-diagonal[start : start + group], kind="stable")
        for start in range(0, depth, group)
    ]
    return np.concatenate(parts)


def _search(depth: int, given: WeightFormat, importance: Array | None) -> Search:
    """The fine search of ranges, with importance [depth] as it lies in groups."""
    factors = TERNARY_FACTORS if given.kind == "ternary" else FACTORS
    if importance is None:
        return Search(factors, refits=REFITS)
    group = given.group or max(depth, 1)
    groups = -(-depth // group)
    weights = np.zeros(groups * group, np.float32)
    weights[:depth] = importance / np.mean(importance)
    return Search(factors, weights.reshape(groups, group), REFITS)
