"""Codes of 3 bits: 32 inputs of a column in three words, most of them one shift away.

Byte b of word i holds the codes of inputs 8i + b (bits 0 to 2) and 8i + 4 + b (bits 3 to 5). Bits 6
and 7 make up the rest: inputs 24 + b are in word 0, but for their highest bit at bit 6 of word 2;
inputs 28 + b in word 1, and bit 7 of word 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray
from tvm import tirx
from tvm.ir import Expr

Array = NDArray[Any]


def join(codes: Array) -> Array:
    """Codes uint8 [..., 8, 4], four inputs after four -> the bytes of the words, [..., 3, 4]."""
    words: Array = codes[..., 0:6:2, :] | codes[..., 1:6:2, :] << 3
    words[..., :2, :] |= (codes[..., 6:, :] & 3) << 6
    words[..., 2, :] |= (codes[..., 6, :] & 4) << 4 | (codes[..., 7, :] & 4) << 5
    return words


def take(words: Sequence[Expr], part: int, constant: Callable[[int], Expr]) -> Expr:
    """The codes of inputs 4 * part to 4 * part + 3 in the bytes of a word."""
    if part < 6:
        word = words[part // 2]
        shifted = tirx.shift_right(word, constant(3)) if part % 2 else word
        return tirx.bitwise_and(shifted, constant(0x07070707))
    low = tirx.bitwise_and(tirx.shift_right(words[part - 6], constant(6)), constant(0x03030303))
    high = tirx.shift_right(words[2], constant(part - 2))
    return tirx.bitwise_or(low, tirx.bitwise_and(high, constant(0x04040404)))
