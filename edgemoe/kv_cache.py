"""How a KV cache is stored: the numbers of its formats, and the defining reference of each.

    bf16, f16   every element rounded to nearest even
    i8          a row is what one token and head adds, the last axis of the cache:
                scale = max |x| / 127 (float32), code = round(x * (127 / max |x|)), to nearest even

A row of int8 that holds a NaN or an infinity gets a NaN as its scale, as in the products of int8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.bfloat16 import from_bfloat16, to_bfloat16

Array = NDArray[Any]

DTYPES = {"bf16": "bfloat16", "f16": "float16", "i8": "int8"}
"""The dtype of a cache by the name of its format; "f32" is the cache as it came."""

SMALLEST = 1e-30
"""What a row of zeros has as its largest magnitude."""


def narrow(rows: Array, dtype: str) -> tuple[Array, Array | None]:
    """float32 [.., D] as it is stored, and the scales float32 [.., 1] of int8.

    bfloat16 is returned as its bits, uint16 [.., D].
    """
    rows = np.asarray(rows, np.float32)
    if dtype == "bfloat16":
        return to_bfloat16(rows), None
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return rows.astype(np.float16), None
    most = np.maximum(np.abs(rows).max(-1, keepdims=True), np.float32(SMALLEST))
    finite = np.isfinite(rows).all(-1, keepdims=True)
    scales = np.where(finite, most * np.float32(1.0 / 127.0), np.float32(np.nan))
    inverse = np.float32(127.0) / most
    with np.errstate(invalid="ignore"):
        exact = np.rint(rows.astype(np.float64) * inverse.astype(np.float64))
    return np.where(finite, exact, 0).astype(np.int8), scales.astype(np.float32)


def widen(stored: Array, scales: Array | None, dtype: str) -> Array:
    """What `narrow` made, as float32 [.., D]."""
    if dtype == "bfloat16":
        return from_bfloat16(stored)
    wide = stored.astype(np.float32)
    return wide if scales is None else wide * scales
