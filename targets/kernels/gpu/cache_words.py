"""Elements of a narrow KV cache on a GPU: 32-bit words that hold two or four of them.

Shading languages have no 8-bit and, without a feature, no 16-bit types in memory. A cache lies on
the device byte by byte as `edgemoe.kv_cache` defines it, element 0 in the lowest bits of word 0;
kernels take words apart in registers, and one thread writes all of a word.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels.vector_math import register

IN_WORD = {"float32": 1, "bfloat16": 2, "float16": 2, "int8": 4}
"""Elements of a word, by the dtype of a cache."""


def element_type(dtype: str) -> str:
    """The dtype in which a kernel sees a cache."""
    return "float32" if dtype == "float32" else "uint32"


def c_type(dtype: str) -> str:
    """C type of a pointer to a cache."""
    return "float*" if dtype == "float32" else "uint32_t*"


def load(cache: tirx.Var, place: Expr, dtype: str) -> Expr:
    """Element number `place` of a cache as float32; without the scale of int8."""
    count = IN_WORD[dtype]
    if count == 1:
        return cache[place]
    place = register(place)
    word = cache[tirx.truncdiv(place, count)]
    shift = tirx.Cast("uint32", tirx.truncmod(place, count)) * _u(32 // count)
    return _widened(tirx.shift_right(word, shift), dtype)


def elements(word: Expr, dtype: str) -> list[Expr]:
    """All elements of a word, in their order."""
    count = IN_WORD[dtype]
    if count == 1:
        return [word]
    bits = register(word)
    return [
        _widened(tirx.shift_right(bits, _u(i * (32 // count))) if i else bits, dtype)
        for i in range(count)
    ]


def join(values: Sequence[Expr], dtype: str) -> Expr:
    """The word of `IN_WORD` values: float32 to be rounded, or codes (int32) of int8."""
    width, mask = 32 // IN_WORD[dtype], _u((1 << (32 // IN_WORD[dtype])) - 1)
    word: Expr | None = None
    for i, value in enumerate(values):
        bits = tirx.Cast("uint32", value) & mask if dtype == "int8" else _rounded(value, dtype)
        bits = tirx.shift_left(bits, _u(i * width)) if i else bits
        word = bits if word is None else tirx.bitwise_or(word, bits)
    assert word is not None
    return word


def _widened(bits: Expr, dtype: str) -> Expr:
    """float32 of the lowest bits of a word."""
    if dtype == "bfloat16":
        return tirx.reinterpret("float32", tirx.shift_left(bits, _u(16)))
    if dtype == "int8":
        signed = tirx.reinterpret("int32", register(tirx.shift_left(bits, _u(24))))
        return tirx.Cast("float32", tirx.shift_right(signed, tirx.const(24, "int32")))
    # As for weights (`weights.Layout`): 2**112 moves the exponent. What is no number keeps the
    # largest exponent there is.
    bits = register(bits)
    sign = tirx.shift_left(bits & _u(0x8000), _u(16))
    rest = register(tirx.shift_left(bits & _u(0x7FFF), _u(13)))
    value = tirx.reinterpret("float32", tirx.bitwise_or(sign, rest)) * tirx.const(
        2.0**112, "float32"
    )
    endless = tirx.bitwise_or(tirx.bitwise_or(sign, rest), _u(0x7F800000))
    return tirx.Select(rest >= _u(0x0F800000), tirx.reinterpret("float32", endless), value)


def _rounded(value: Expr, dtype: str) -> Expr:
    """The 16 bits of a float32, rounded to nearest even, as uint32."""
    bits = register(tirx.reinterpret("uint32", register(value)))
    size = register(bits & _u(0x7FFFFFFF))
    if dtype == "bfloat16":
        odd = tirx.shift_right(bits, _u(16)) & _u(1)
        near = tirx.shift_right(bits + _u(0x7FFF) + odd, _u(16))
        kept = tirx.bitwise_or(tirx.shift_right(bits, _u(16)), _u(0x40))
        return register(tirx.Select(size > _u(0x7F800000), kept, near))
    sign = register(tirx.shift_right(bits, _u(16)) & _u(0x8000))
    odd = tirx.shift_right(size, _u(13)) & _u(1)
    normal = tirx.shift_right(size - _u(0x38000000) + _u(0xFFF) + odd, _u(13))
    # Below 2**-14 the sum with 0.5 has the half's last place as its own, and rounds there.
    moved = register(tirx.reinterpret("float32", size) + tirx.const(0.5, "float32"))
    small = tirx.reinterpret("uint32", moved) - _u(0x3F000000)
    found = tirx.Select(size < _u(0x38800000), small, normal)
    endless = tirx.Select(size > _u(0x7F800000), _u(0x7E00), _u(0x7C00))
    return register(tirx.bitwise_or(sign, tirx.Select(size >= _u(0x477FF000), endless, found)))


def _u(value: int) -> Expr:
    return tirx.const(value, "uint32")
