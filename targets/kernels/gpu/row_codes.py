"""Codes of int8 for rows of floats, as a work-group computes them.

    scale = max |x| / 127,  code = round(x * (127 / max |x|)), to nearest even

A row that holds a NaN or an infinity has a NaN as its scale (`edgemoe.kv_cache`).
"""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.norm import row_value
from edgemoe.targets.kernels.vector_math import register

_ENDLESS, _NAN = 0x7F800000, 0x7FC00000

_SHIFT = 12582912.0
"""1.5 * 2**23: in the sum with it, the last bit of a float is worth one."""


def codes_scale(
    at: grid.Grid, values: tirx.Var, threads: int, width: int, of: grid.Element, smallest: float
) -> tuple[Expr, Expr]:
    """(scale, what elements are multiplied with) of `of(j)` for j < width, in every thread.

    `values` are shared, one per thread; `smallest` is the least that a largest magnitude counts.
    """
    zero = tirx.const(0.0, "float32")

    def size(j: Expr) -> Expr:
        bits = tirx.reinterpret("uint32", register(of(j)))
        return tirx.reinterpret("float32", register(bits & tirx.const(0x7FFFFFFF, "uint32")))

    # Compared as bits, which order magnitudes: with floats a NaN would get lost.
    most = row_value(at, values, width, threads, size, zero, _larger_bits)
    bits = register(tirx.reinterpret("uint32", most))
    floor = tirx.const(smallest, "float32")
    finite = register(tirx.Select(most < floor, floor, most))
    scale = finite * tirx.const(1.0 / 127.0, "float32")
    spoilt = bits >= tirx.const(_ENDLESS, "uint32")
    # A number that the program computes: WGSL has no literal for it.
    nan = register(tirx.bitwise_or(bits, tirx.const(_NAN, "uint32")))
    inverse = register(tirx.Select(spoilt, zero, tirx.const(127.0, "float32") / finite))
    return register(tirx.Select(spoilt, tirx.reinterpret("float32", nan), scale)), inverse


def rounded_code(value: Expr, inverse: Expr) -> Expr:
    """The code of a value as int32, -127 to 127.

    The sum is read as bits: subtracting again is what some compilers leave out.
    """
    total = register(value * inverse + tirx.const(_SHIFT, "float32"))
    return tirx.reinterpret("int32", total) - tirx.const(0x4B400000, "int32")


def _larger_bits(a: Expr, b: Expr) -> Expr:
    one, two = (register(tirx.reinterpret("uint32", register(x))) for x in (a, b))
    return tirx.reinterpret("float32", register(tirx.Select(one < two, two, one)))
