"""Products of about the same shape share a tuning: the classes, and how far apart two of them are.

The count of rows decides which tiles run, so that classes of other rows never stand in; depth and
columns decide what lies in which cache, and neighbours are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgemoe.weight_format import WeightFormat

KernelKind = Literal["linear", "experts"]

ROW_BUCKETS = {"1": 1, "2-4": 4, "5-16": 16, "17-64": 64, "65+": None}
"""Names of the classes of rows, with the largest count of each."""

FARTHEST = 2
"""Powers of two, over depth and columns, that a tuning is carried to another class."""


@dataclass(frozen=True)
class ShapeClass:
    """One class; `rows` names a bucket, `depth` and `columns` are the nearest powers of two."""

    kernel: KernelKind
    format: str
    rows: str
    depth: int
    columns: int

    def distance(self, other: ShapeClass) -> int | None:
        """Powers of two between two classes; None where one says nothing about the other.

        The tiles of both kernels are the same: another kernel is as far as one power of two.
        """
        same = (self.format, self.rows) == (other.format, other.rows)
        far = abs(self.depth.bit_length() - other.depth.bit_length()) + abs(
            self.columns.bit_length() - other.columns.bit_length()
        )
        far += self.kernel != other.kernel
        return far if same and far <= FARTHEST else None

    def __str__(self) -> str:
        """For people: "linear f32, 2-4 rows, 512 -> 1024"."""
        return f"{self.kernel} {self.format}, {self.rows} rows, {self.depth} -> {self.columns}"


def class_of(
    kernel: KernelKind, given: WeightFormat, rows: int, depth: int, columns: int
) -> ShapeClass:
    """The class of a product; `rows` of an expert are those that it has on average."""
    bucket = next(name for name, most in ROW_BUCKETS.items() if most is None or rows <= most)
    return ShapeClass(kernel, given.name, bucket, _power(depth), _power(columns))


def _power(size: int) -> int:
    """The power of two that is nearest by ratio."""
    below = 1 << (size.bit_length() - 1)
    return below if size * size <= 2 * below * below else 2 * below
