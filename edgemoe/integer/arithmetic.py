"""The integer arithmetic that every kernel of an integer program shares with its reference.

All of it is int32 with one exception: the sum of squares of a norm is int64. Shifts to the right
are arithmetic (they round down). Nothing overflows: whoever chooses scales proves it from bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

UNIT = 1 << 15
"""One, as a fixed-point number of probabilities and weights of experts (Q15)."""

MOST_RIGHT = 22
"""A zero point of 8 bits can be added before so many bits are shifted out."""


@dataclass(frozen=True)
class Scaling:
    """A real factor as integers: x * 2^left * multiplier / 2^(32 + right).

    `multiplier` holds one number per channel, or one for all.
    """

    multiplier: Array
    left: int
    right: int

    def real(self) -> Array:
        """The factors that are really applied, float64."""
        factor: Array = self.multiplier.astype(np.float64) * 2.0 ** (self.left - 32 - self.right)
        return factor


def scaling(factors: Array | float, bound: int) -> Scaling:
    """Choose integers for real factors, for numbers up to `bound` in absolute value.

    `left` uses all bits of an int32, so that the high half of one 32 x 32 bit product (one
    instruction on most cores) is precise enough; the largest multiplier lies in [2^30, 2^31).

    Raises:
        ValueError: the product would not fit an int32.
    """
    given = np.atleast_1d(np.asarray(factors, np.float64))
    left = 31 - max(int(bound).bit_length(), 1)
    if left < 0:
        raise ValueError(f"a sum of up to {bound} does not fit 32 bits")
    largest = float(np.abs(given).max())
    exponent = int(np.frexp(largest)[1]) if largest > 0 else -30  # largest < 2^exponent
    right = left - 1 - exponent
    if right < 0:
        raise ValueError(f"a factor of {largest} on numbers up to {bound} does not fit 32 bits")
    right = min(right, MOST_RIGHT)
    multiplier = np.rint(given * 2.0 ** (32 + right - left))
    return Scaling(np.minimum(multiplier, 2**31 - 1).astype(np.int32), left, right)


def rescale(x: Array, multiplier: Array, left: int, right: int) -> Array:
    """X * factor, rounded half up; see `Scaling`. int32 in and out."""
    shifted = x.astype(np.int64) << left
    assert shifted.size == 0 or np.abs(shifted).max() < 2**31
    return round_shift((shifted * multiplier.astype(np.int64)) >> 32, right)


def round_shift(x: Array, right: int | Array) -> Array:
    """X / 2^right, rounded half up."""
    wide = x.astype(np.int64)
    shift = np.asarray(right, np.int64)
    rounded: Array = (wide + ((np.int64(1) << shift) >> 1)) >> shift
    return rounded


def saturate(x: Array, low: int, high: int, dtype: str) -> Array:
    """Clip to [low, high]."""
    return np.clip(x, low, high).astype(dtype)


def fixed(factors: Array | float, bits: int, most: int) -> tuple[Array, int]:
    """Real factors as integers below 2^bits over 2^shift, with 0 <= shift <= most."""
    given = np.asarray(factors, np.float64)
    largest = float(np.abs(given).max())
    exponent = int(np.frexp(largest)[1]) if largest > 0 else -most
    shift = min(bits - exponent, most)
    if shift < 0:
        raise ValueError(f"a factor of {largest} does not fit {bits} bits")
    limit = (1 << bits) - 1
    return np.clip(np.rint(given * 2.0**shift), -limit, limit).astype(np.int64), shift


def square_root(v: Array) -> Array:
    """floor(sqrt(v)) of unsigned 32-bit integers."""
    found: Array = np.floor(np.sqrt(v.astype(np.float64))).astype(np.int64)  # exact below 2^52
    return found


def inverse_root(v: Array) -> tuple[Array, Array]:
    """(m, c) with 1 / sqrt(v) = m * 2^(c - 30), for 1 <= v < 2^32; 2^14 < m <= 2^15.

    v is shifted left by an even number of bits until its top bits are used, then a square root to
    16 bits and one division.
    """
    wide = v.astype(np.int64)
    c = np.zeros_like(wide)
    for _ in range(15):
        small = wide < 2**30
        wide = np.where(small, wide << 2, wide)
        c = c + small
    return (np.int64(1) << 30) // square_root(wide), c


def share_of(sums: Array) -> tuple[Array, Array]:
    """(m, k) with 1 / sum = m * 2^-(29 + k), for 2^13 < sum < 2^31; m <= 2^15 + small.

    For sums below 2^14 the caller has shifted left first.
    """
    wide = sums.astype(np.int64)
    k = np.zeros_like(wide)
    for _ in range(16):
        large = wide >= 2**16
        wide = np.where(large, wide >> 1, wide)
        k = k + large
    return (np.int64(1) << 29) // wide, k
