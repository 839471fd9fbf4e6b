"""What an integer tensor stands for: (number - zero_point) * scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

Width = Literal["int8", "int16"]

LARGEST = {"int8": 127, "int16": 32767}
LOWEST = {"int8": -128, "int16": -32767}
"""int16 is symmetric: -32768 is never made, so that a product of two numbers keeps 31 bits."""


@dataclass(frozen=True)
class Quantised:
    """A tensor's element type and scale; `zero_point` is the code of 0.0, and 0 for int16."""

    dtype: Width
    scale: float
    zero_point: int = 0

    @property
    def bits(self) -> int:
        """8 or 16."""
        return 8 if self.dtype == "int8" else 16

    @property
    def low(self) -> int:
        """The least code."""
        return LOWEST[self.dtype]

    @property
    def high(self) -> int:
        """The largest code."""
        return LARGEST[self.dtype]

    def encode(self, numbers: Array) -> Array:
        """Real numbers to codes: to nearest (ties to even), saturated; NaN becomes 0.0."""
        wide = np.nan_to_num(np.asarray(numbers, np.float64) / self.scale, nan=0.0)
        codes = np.rint(np.clip(wide, -1e9, 1e9)) + self.zero_point
        found: Array = np.clip(codes, self.low, self.high).astype(self.dtype)
        return found

    def decode(self, codes: Array) -> Array:
        """Codes to float32 numbers."""
        wide = (codes.astype(np.int64) - self.zero_point) * self.scale
        found: Array = wide.astype(np.float32)
        return found


@dataclass(frozen=True)
class Target:
    """What a rule has to make: a scale, and limits of the codes (a clipping activation is free)."""

    quantised: Quantised
    low: int
    high: int


def whole(quantised: Quantised) -> Target:
    """All codes of a scale."""
    return Target(quantised, quantised.low, quantised.high)
