"""The range of the codes of each group of weights: which scale and zero point round them best.

Weights come as [columns, groups, group]: each group has one scale, and one zero point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.bfloat16 import from_bfloat16, to_bfloat16
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

SMALLEST_SCALE = 1e-30
"""Columns of zeros get this scale: they stay zeros, and nothing divides by 0."""


@dataclass(frozen=True)
class Search:
    """Which ranges are tried, and by which error the best is taken.

    `factors` multiply the range that holds every weight (for ternary codes: the mean magnitude).
    `importance`, float32 [groups, group], weights the squared errors of the inputs. The best scale
    is then multiplied by each of `finer`, and after that fitted `refits` times to the codes that it
    made, by least squares.
    """

    factors: tuple[float, ...]
    importance: Array | None = None
    refits: int = 0
    finer: tuple[float, ...] = ()


def find_ranges(values: Array, counts: Array, given: WeightFormat, search: Search) -> Ranges:
    """The ranges of least error for float32 [columns, groups, group]; no scale is 0.

    `counts` [groups] are the weights of each group that are not padding.
    """
    best = Ranges(values, given, search.importance)
    middle = np.full(values.shape[:2], given.zero, np.uint8)
    if given.kind == "ternary":
        mean = np.abs(values).sum(-1) / counts
        for factor in search.factors:
            best.consider(factor * mean, middle)
    elif given.zero_points:
        low, high = np.minimum(values.min(-1), 0.0), np.maximum(values.max(-1), 0.0)
        first, last = lowest_code(given), given.largest_code
        for factor in search.factors:
            scales = stored_scales(factor * (high - low) / (last - first), given)
            zeros = np.clip(np.rint(first - factor * low / scales), first, last)
            best.consider(scales, zeros.astype(np.uint8))
    else:
        _symmetric(best, middle, search)
    coarse, zeros = best.scales.copy(), best.zeros.copy()
    for factor in search.finer:
        best.consider(factor * coarse, zeros)
    for _ in range(search.refits):
        best.refit()
    return best


def _symmetric(best: Ranges, middle: Array, search: Search) -> None:
    """Codes around the middle; the range may be turned over, so that its longer side fits."""
    values, given = best.values, best.given
    magnitude = np.abs(values).max(-1)
    if given.bits == 8:  # -127 to 127: products of two such codes add up in pairs of 16 bits
        for factor in search.factors:
            best.consider(factor * magnitude / (given.zero - 1), middle)
        return
    # One side has one code more: let it be the side of the largest magnitude.
    extreme = np.take_along_axis(values, np.abs(values).argmax(-1)[..., None], -1)[..., 0]
    sign = np.where(extreme > 0, -1.0, 1.0)
    for factor in search.factors:
        best.consider(sign * factor * magnitude / given.zero, middle)
        best.consider(factor * magnitude / (given.zero - 1), middle)


class Ranges:
    """Of several scales and zeros, those of the least squared error, group by group.

    `scales` float32 and `zeros` uint8 [columns, groups]; `codes` uint8 [columns, groups, group].
    """

    def __init__(self, values: Array, given: WeightFormat, importance: Array | None) -> None:
        self.values, self.given = values, given
        self.scales = np.ones(values.shape[:2], np.float32)
        self.zeros = np.full(values.shape[:2], given.zero, np.uint8)
        self.error = np.full(values.shape[:2], np.inf, np.float32)
        # The inputs of a group come first here, so that sums over them run along columns.
        self._values = np.ascontiguousarray(np.moveaxis(values, -1, 0), np.float32)
        self._importance = None if importance is None else importance.T[:, None, :]
        self._room = np.empty_like(self._values)  # that every try works in

    @property
    def codes(self) -> Array:
        """The nearest codes in the ranges that are the best so far."""
        return nearest_codes(self.values, self.scales[..., None], self.zeros[..., None], self.given)

    def consider(self, scales: Array, zeros: Array) -> None:
        """Take these ranges where they are better than what was found."""
        scales = stored_scales(scales, self.given)
        gaps = self._steps(scales, zeros)
        gaps *= scales
        gaps -= self._values
        gaps *= gaps
        if self._importance is not None:
            gaps *= self._importance
        error = gaps.sum(0)
        better = error < self.error
        np.copyto(self.scales, scales, where=better)
        np.copyto(self.zeros, zeros, where=better)
        np.copyto(self.error, error, where=better)

    def refit(self) -> None:
        """Consider the scales that fit the codes best: sum(h w c) / sum(h c^2)."""
        steps = self._steps(self.scales, self.zeros)
        weighted = steps if self._importance is None else steps * self._importance
        squares = (weighted * steps).sum(0)
        fitted = (weighted * self._values).sum(0) / np.maximum(squares, SMALLEST_SCALE)
        self.consider(np.where(squares > SMALLEST_SCALE, fitted, self.scales), self.zeros)

    def _steps(self, scales: Array, zeros: Array) -> Array:
        """Codes from their zeros on, float32 [group, columns, groups], in the room for a try."""
        offset = zeros.astype(np.float32)
        steps = whole_codes(np.divide(self._values, scales, out=self._room), offset, self.given)
        steps -= offset
        return steps


def lowest_code(given: WeightFormat) -> int:
    """1 of 8 bits, which as signed codes are -127 to 127."""
    return 1 if given.bits == 8 else 0


def stored_scales(scales: Array, given: WeightFormat) -> Array:
    """Scales as the artifact stores them: never 0, and bfloat16 where there are groups."""
    sign = np.where(scales < 0, np.float32(-1), np.float32(1))
    safe = sign * np.maximum(np.abs(scales), SMALLEST_SCALE).astype(np.float32)
    stored: Array = safe.astype(np.float32)
    return from_bfloat16(to_bfloat16(stored)) if given.group else stored


def nearest_codes(values: Array, scales: Array, zeros: Array, given: WeightFormat) -> Array:
    """The codes nearest to `values`, as uint8; the three broadcast to each other."""
    codes: Array = whole_codes(np.divide(values, scales), zeros, given).astype(np.uint8)
    return codes


def whole_codes(steps: Array, zeros: Array, given: WeightFormat) -> Array:
    """Weights in steps of their scales become codes, still as floats, in the same memory."""
    np.rint(steps, out=steps)
    steps += zeros
    return np.clip(steps, lowest_code(given), given.largest_code, out=steps)
