"""Places that are data: numbers that may count from the end, and those that are no place."""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import tile as tiles


def wrapped(place: Expr, extent: Expr, dtype: str) -> Expr:
    """A place that may count from the end, counted from the front."""
    first = tiles.local(place)
    shifted = tirx.Select(
        first < tirx.const(0, dtype), tirx.Cast(dtype, extent), tirx.const(0, dtype)
    )
    return tiles.local(first + shifted)


def inside(place: Expr, extent: Expr, dtype: str) -> Expr:
    """Tell whether a place is one; asked in its own width, before it becomes an address."""
    return tirx.all(place >= tirx.const(0, dtype), place < tirx.Cast(dtype, extent))
