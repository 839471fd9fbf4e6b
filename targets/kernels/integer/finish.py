"""What follows a sum of products: the factor of its channel, the zero point, the limits."""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels.integer.cores import local

SCALING = ("left", "right", "zero", "low", "high")
"""The integer parameters of a rescaled result, by their names as attributes."""


def high_half(a: Expr, b: Expr) -> Expr:
    """The upper 32 bits of a product of two int32 (one instruction on most cores)."""
    wide = tirx.Cast("int64", a) * tirx.Cast("int64", b)
    return tirx.Cast("int32", tirx.shift_right(wide, tirx.const(32, "int64")))


def round_shift(value: Expr, right: Expr) -> Expr:
    """`value` / 2^right, rounded half up."""
    one = tirx.const(1, "int32")
    half = tirx.shift_right(tirx.shift_left(one, right), one)
    return tirx.shift_right(value + half, right)


def rescale(value: Expr, multiplier: Expr, left: Expr, right: Expr) -> Expr:
    """See `edgemoe.integer.arithmetic.rescale`; `left` is given as 2^left.

    C does not define shifts of negative numbers to the left.
    """
    return round_shift(high_half(local(value * left), multiplier), right)


def limited(value: Expr, low: Expr, high: Expr, dtype: str) -> Expr:
    """`value` within limits, as a narrow integer."""
    return tirx.Cast(dtype, tirx.max(tirx.min(local(value), high), low))
