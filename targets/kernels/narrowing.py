"""float32 as the bits of float16 or bfloat16, and back."""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels.vector_math import broadcast, is_nan, register, typed


def narrowed(value: Expr, lanes: int, dtype: str) -> Expr:
    """float32 as the bits (uint16) of float16 or bfloat16, rounded to nearest even."""
    value = register(value)
    if dtype == "float16":
        return tirx.reinterpret(typed("uint16", lanes), tirx.Cast(typed("float16", lanes), value))

    bits = register(tirx.reinterpret(typed("uint32", lanes), value))
    odd = tirx.bitwise_and(tirx.shift_right(bits, _word(16, lanes)), _word(1, lanes))
    high = tirx.shift_right(bits + _word(0x7FFF, lanes) + odd, _word(16, lanes))
    kept = tirx.Select(is_nan(value), _word(0x7FC0, lanes), high)
    return tirx.Cast(typed("uint16", lanes), register(kept))


def widened(bits: Expr, lanes: int, dtype: str) -> Expr:
    """The bits (uint16) of float16 or bfloat16 as float32."""
    bits = register(bits)
    if dtype == "float16":
        half = tirx.reinterpret(typed("float16", lanes), bits)
        return tirx.Cast(typed("float32", lanes), half)
    wide = tirx.shift_left(tirx.Cast(typed("uint32", lanes), bits), _word(16, lanes))
    return tirx.reinterpret(typed("float32", lanes), wide)


def _word(number: int, lanes: int) -> Expr:
    return broadcast(tirx.const(number, "uint32"), lanes)
