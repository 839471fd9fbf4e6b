"""Rounding of weights to integer codes, and back: the definition that kernels are tested against.

A weight matrix is [columns, depth]: row n holds the inputs of output n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

SMALLEST_SCALE = 1e-30
"""Columns of zeros get this scale: they stay zeros, and nothing divides by 0."""

CHUNK = 1 << 20
"""Weights that are rounded at a time: temporaries stay small and in the caches."""

SHRINKS = tuple(1.0 - 0.05 * i for i in range(7))
"""Factors of the largest magnitude that are tried as clipping range below 8 bits."""


@dataclass(frozen=True)
class Codes:
    """`codes` uint8 [columns, padded depth]; `scales` float32 and `zeros` uint8 [columns, groups].

    The weight is (code - zero) * scale. The padding holds the code of 0.
    """

    codes: Array
    scales: Array
    zeros: Array

    def dequantise(self, depth: int) -> Array:
        """float32 [columns, depth]."""
        columns, groups = self.scales.shape
        codes = self.codes.reshape(columns, groups, -1).astype(np.float32)
        values = (codes - self.zeros[..., None].astype(np.float32)) * self.scales[..., None]
        return np.ascontiguousarray(values.reshape(columns, -1)[:, :depth])


Rounder = Callable[[Array, WeightFormat], Codes]
"""Makes codes of weights, float32 [columns, depth]; `quantise` is one."""


def to_bfloat16(values: Array) -> Array:
    """float32 -> the bits of bfloat16 as uint16, rounded to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return np.where(np.isnan(values), np.uint16(0x7FC0), (rounded >> 16).astype(np.uint16))


def from_bfloat16(bits: Array) -> Array:
    """The bits of bfloat16 as uint16 -> float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def quantise(weights: Array, given: WeightFormat) -> Codes:
    """Round weights [columns, depth] to nearest.

    Below 8 bits the clipping range of each group is the one of `SHRINKS` with the least squared
    error. Ternary codes are -1, 0, 1 times the mean magnitude of the group (BitNet b1.58, Ma et
    al., 2024, eq. 1 to 3). Scales of groups are bfloat16 numbers: that is how they are stored.
    """
    columns, depth = weights.shape
    step = max(1, CHUNK // max(depth, 1))
    parts = [_quantise(weights[n : n + step], given) for n in range(0, max(columns, 1), step)]
    return Codes(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.scales for part in parts]),
        np.concatenate([part.zeros for part in parts]),
    )


def _quantise(weights: Array, given: WeightFormat) -> Codes:
    columns, depth = weights.shape
    group = given.group or max(depth, 1)
    groups = -(-depth // group)
    padded = np.zeros((columns, groups * group), np.float32)
    padded[:, :depth] = weights
    values = padded.reshape(columns, groups, group)
    if given.kind == "ternary":
        count = np.minimum(depth - group * np.arange(groups), group)
        scales = _stored(np.abs(values).sum(-1) / count, given)
        zeros = np.full((columns, groups), given.zero, np.uint8)
        codes = _round(values, scales, zeros, given)
    elif given.zero_points:
        scales, zeros, codes = _with_zero_points(values, given)
    else:
        scales, zeros, codes = _symmetric(values, given)
    return Codes(codes.reshape(columns, groups * group), scales, zeros)


def _symmetric(values: Array, given: WeightFormat) -> tuple[Array, Array, Array]:
    """Codes around the middle; the range may be turned over, so that its longer side fits."""
    zeros = np.full(values.shape[:2], given.zero, np.uint8)
    magnitude = np.abs(values).max(-1)
    if given.bits == 8:  # -127 to 127: products of two such codes add up in pairs of 16 bits
        scales = _stored(magnitude / (given.zero - 1), given)
        return scales, zeros, _round(values, scales, zeros, given)
    # One side has one code more: let it be the side of the largest magnitude.
    extreme = np.take_along_axis(values, np.abs(values).argmax(-1)[..., None], -1)[..., 0]
    sign = np.where(extreme > 0, -1.0, 1.0)
    best = _Best(values, given)
    for shrink in SHRINKS:
        best.consider(sign * shrink * magnitude / given.zero, zeros)
        best.consider(shrink * magnitude / (given.zero - 1), zeros)
    return best.scales, best.zeros, best.codes


def _with_zero_points(values: Array, given: WeightFormat) -> tuple[Array, Array, Array]:
    low, high = np.minimum(values.min(-1), 0.0), np.maximum(values.max(-1), 0.0)
    best = _Best(values, given)
    for shrink in SHRINKS:
        scales = _stored(shrink * (high - low) / given.largest_code, given)
        zeros = np.clip(np.rint(-shrink * low / scales), 0, given.largest_code).astype(np.uint8)
        best.consider(scales, zeros)
    return best.scales, best.zeros, best.codes


class _Best:
    """Of several scales and zeros, those of the least squared error, group by group."""

    def __init__(self, values: Array, given: WeightFormat) -> None:
        self.values, self.given = values, given
        self.scales = np.ones(values.shape[:2], np.float32)
        self.zeros = np.full(values.shape[:2], given.zero, np.uint8)
        self.codes = np.zeros(values.shape, np.uint8)
        self.error = np.full(values.shape[:2], np.inf, np.float32)

    def consider(self, scales: Array, zeros: Array) -> None:
        scales = _stored(scales, self.given)
        codes = _round(self.values, scales, zeros, self.given)
        back = (codes.astype(np.float32) - zeros[..., None]) * scales[..., None]
        error = ((back - self.values) ** 2).sum(-1)
        better = error < self.error
        self.scales = np.where(better, scales, self.scales)
        self.zeros = np.where(better, zeros, self.zeros)
        self.codes = np.where(better[..., None], codes, self.codes)
        self.error = np.where(better, error, self.error)


def _stored(scales: Array, given: WeightFormat) -> Array:
    """Scales as the artifact stores them: never 0, and bfloat16 where there are groups."""
    sign = np.where(scales < 0, np.float32(-1), np.float32(1))
    safe = sign * np.maximum(np.abs(scales), SMALLEST_SCALE).astype(np.float32)
    stored: Array = safe.astype(np.float32)
    return from_bfloat16(to_bfloat16(stored)) if given.group else stored


def _round(values: Array, scales: Array, zeros: Array, given: WeightFormat) -> Array:
    lowest = 1 if given.bits == 8 else 0  # signed, codes of 8 bits are -127 to 127
    codes = np.rint(values / scales[..., None]) + zeros[..., None]
    clipped: Array = np.clip(codes, lowest, given.largest_code).astype(np.uint8)
    return clipped
