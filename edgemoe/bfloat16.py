"""bfloat16 as bits, which NumPy has no dtype for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def to_bfloat16(values: Array) -> Array:
    """float32 -> the bits of bfloat16 as uint16, rounded to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return np.where(np.isnan(values), np.uint16(0x7FC0), (rounded >> 16).astype(np.uint16))


def from_bfloat16(bits: Array) -> Array:
    """The bits of bfloat16 as uint16 -> float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
