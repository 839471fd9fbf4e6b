"""Weights as GPU products read them: 32-bit words, neighbouring columns in neighbouring words.

A column is an output. Word (b, n) holds the inputs of block b of column n: one float32, two halves
or bfloat16 (first in the low half), four codes of 8 bits, eight of 4, sixteen of 2, lowest bits
first; 32 codes of 3 bits take three words, (3b, n) to (3b + 2, n). So the threads of a work-group,
which have neighbouring columns, read one contiguous line. Scales lie behind the words: float32
[columns] without groups; with groups bfloat16, (g, n) in the low half of word (g, n // 2) where n
is even, in the high half where it is odd; with zero points one word (g, n), the scale in the high
half and the zero point in the low one. Ports lie side by side: column p * N + n is column n of
port p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import tirx
from tvm.ir import Expr

from edgemoe.bfloat16 import to_bfloat16
from edgemoe.quantise import Codes, Rounder
from edgemoe.targets.kernels.vector_math import register
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

QUAD = 4
"""Neighbouring columns whose words a thread may read as one of 16 bytes."""


HALVES = "em_halves"
"""What kernels call for the two halves of a word; `gpu/codegen` gives it its name."""

ELEMENT, C_TYPE = "uint32", "uint32_t*"
"""Dtype of the elements that kernels see, and the C type of a pointer to them."""


def element_of(wide: int) -> str:
    """The dtype for kernels that read the words of `wide` columns at once."""
    return ELEMENT if wide == 1 else f"{ELEMENT}x{QUAD}"


@dataclass(frozen=True)
class Layout:
    """The words of a matrix of `depth` inputs and `columns` outputs (of all ports)."""

    given: WeightFormat
    depth: int
    columns: int

    def has_quads(self, ports: int) -> bool:
        """Tell whether words of `QUAD` neighbouring columns, and their scales, are one of 16 bytes.

        Codes of 3 bits have three words per column, which take as many bytes together.
        """
        whole = self.columns // ports % QUAD == 0 and self.scale_columns % QUAD == 0
        return whole and self.block_words == 1

    @property
    def block_inputs(self) -> int:
        """Inputs in the words of a block."""
        return 32 if self.given.bits == 3 else 32 // self.given.bits

    @property
    def block_words(self) -> int:
        """Words of a block of a column."""
        return 3 if self.given.bits == 3 else 1

    @property
    def blocks(self) -> int:
        """Blocks of a column; groups are whole blocks."""
        depth = self.groups * self.given.group if self.given.group else self.depth
        return -(-depth // self.block_inputs)

    @property
    def groups(self) -> int:
        """Scales of a column."""
        return -(-self.depth // self.given.group) if self.given.group else 1

    @property
    def group_blocks(self) -> int:
        """Blocks that share a scale."""
        return self.blocks // self.groups

    @property
    def code_words(self) -> int:
        """Words before the scales."""
        return self.blocks * self.block_words * self.columns

    @property
    def scale_columns(self) -> int:
        """Words of the scales of a group."""
        paired = self.given.group and not self.given.zero_points
        return -(-self.columns // 2) if paired else self.columns

    @property
    def words(self) -> int:
        """Words of the matrix."""
        scales = self.groups * self.scale_columns if self.given.is_integer else 0
        return self.code_words + scales

    @property
    def stride(self) -> int:
        """Words from one expert's matrix to the next: sections begin at multiples of 64 bytes."""
        return -(-self.words // 16) * 16

    def pack(self, ports: Sequence[Array], rounders: Sequence[Rounder]) -> Array:
        """Matrices [columns of a port, depth] -> uint32 [words]."""
        floats = [np.ascontiguousarray(port, np.float32) for port in ports]
        if not self.given.is_integer:
            return self._pack_floats(np.concatenate(floats))
        parts = [round_rows(port, self.given) for port, round_rows in
                 zip(floats, rounders, strict=True)]  # fmt: skip
        codes = np.zeros((self.columns, self.groups, self.blocks * self.block_inputs
                          // self.groups), np.uint8)  # fmt: skip
        joined = Codes(
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.scales for part in parts]),
            np.concatenate([part.zeros for part in parts]),
        )
        codes[...] = joined.zeros.reshape(self.columns, self.groups, 1)
        given = joined.codes.reshape(self.columns, self.groups, -1)
        codes[..., : given.shape[-1]] = given
        flat = codes.reshape(self.columns, self.blocks, self.block_inputs)
        words = _join(flat, self.given.bits)  # [columns, blocks, block words]
        stream = words.reshape(self.columns, -1).T
        return np.concatenate([stream.reshape(-1), self._scales(joined).reshape(-1)])

    def _pack_floats(self, weights: Array) -> Array:
        padded = np.zeros((self.columns, self.blocks * self.block_inputs), np.float32)
        padded[:, : self.depth] = weights
        if self.given.kind == "float32":
            return np.ascontiguousarray(padded.T).view(np.uint32).reshape(-1)
        halves = (
            padded.astype(np.float16).view(np.uint16) if self.given.kind == "float16"
            else to_bfloat16(padded)
        )  # fmt: skip
        pairs = halves.reshape(self.columns, self.blocks, 2).astype(np.uint32)
        return np.ascontiguousarray((pairs[..., 0] | pairs[..., 1] << 16).T).reshape(-1)

    def _scales(self, codes: Codes) -> Array:
        scales = np.ascontiguousarray(codes.scales.reshape(self.columns, self.groups).T)
        if not self.given.group:
            return scales.astype(np.float32).view(np.uint32)
        bits = to_bfloat16(scales).astype(np.uint32)
        if self.given.zero_points:
            zeros = codes.zeros.reshape(self.columns, self.groups).T.astype(np.uint32)
            return bits << 16 | zeros
        even = np.zeros((self.groups, 2 * self.scale_columns), np.uint32)
        even[:, : self.columns] = bits
        return even[:, ::2] | even[:, 1::2] << 16

    def scale(self, words: tirx.Var, base: Expr, group: Expr, column: Expr) -> tuple[Expr, Expr]:
        """(scale, zero point) of a group of a column, as float32 and int32."""
        zero: Expr = tirx.const(self.given.zero, "int32")
        at = base + self.code_words
        if not self.given.group:
            return tirx.reinterpret("float32", words[at + column]), zero
        if self.given.zero_points:
            word = register(words[at + group * self.columns + column])
            zero = tirx.Cast("int32", word & tirx.const(0xFFFF, "uint32"))
            return tirx.reinterpret("float32", word & tirx.const(0xFFFF0000, "uint32")), zero
        half = tirx.Cast("uint32", tirx.truncmod(column, 2)) * tirx.const(16, "uint32")
        word = words[at + group * self.scale_columns + tirx.truncdiv(column, 2)]
        return tirx.reinterpret(
            "float32", tirx.shift_left(tirx.shift_right(word, half), tirx.const(16, "uint32"))
        ), zero

    def scales(
        self, words: tirx.Var, base: Expr, group: Expr, column: Expr, wide: int
    ) -> list[tuple[Expr, Expr]]:
        """The scales and zero points of `wide` columns; `words` are of `element_of`."""
        if wide == 1:
            return [self.scale(words, base, group, column)]
        zero: Expr = tirx.const(self.given.zero, "int32")
        at = base + self.code_words
        if not self.given.group:
            quad = register(words[tirx.truncdiv(at + column, QUAD)])
            return [(tirx.reinterpret("float32", lane(quad, j)), zero) for j in range(QUAD)]
        high = tirx.const(0xFFFF0000, "uint32")
        if self.given.zero_points:
            quad = register(words[tirx.truncdiv(at + group * self.columns + column, QUAD)])
            return [
                (
                    tirx.reinterpret("float32", lane(quad, j) & high),
                    tirx.Cast("int32", lane(quad, j) & tirx.const(0xFFFF, "uint32")),
                )
                for j in range(QUAD)
            ]
        # Two scales in a word: the quad of words has those of twice as many columns.
        word = at + group * self.scale_columns + tirx.truncdiv(column, 2)
        quad = register(words[tirx.truncdiv(word, QUAD)])
        upper = tirx.truncmod(tirx.truncdiv(column, QUAD), 2) > 0
        pairs = [register(tirx.Select(upper, lane(quad, i + 2), lane(quad, i))) for i in range(2)]
        bits = [
            part for pair in pairs
            for part in (tirx.shift_left(pair, tirx.const(16, "uint32")), pair & high)
        ]  # fmt: skip
        return [(tirx.reinterpret("float32", part), zero) for part in bits]

    def values(
        self, words: tirx.Var, base: Expr, block: Expr, column: Expr, zero: Expr
    ) -> list[Expr]:
        """The inputs of a block of a column as float32, before their scale."""
        (taken,) = self.taken(words, base, block, column, 1)
        return [self.value(taken, i, zero) for i in range(self.block_inputs)]

    def taken(
        self, words: tirx.Var, base: Expr, block: Expr, column: Expr, wide: int
    ) -> list[list[Expr]]:
        """What was read of a block of `wide` columns, for `value`; `words` are of `element_of`."""
        first = base + block * (self.block_words * self.columns) + column
        if wide == 1:
            read = [[words[first + i * self.columns] for i in range(self.block_words)]]
        else:
            quad = register(words[tirx.truncdiv(first, QUAD)])
            read = [[lane(quad, j)] for j in range(QUAD)]
        kept = [[register(word) for word in column_words] for column_words in read]
        if self.given.kind != "float16":
            return kept
        pairs = [register(tirx.call_pure_extern("float32x2", HALVES, word)) for (word,) in kept]
        return [[lane(pair, i) for i in range(2)] for pair in pairs]

    @property
    def value_of_any(self) -> bool:
        """Tell whether `value` takes an input that is no constant."""
        return self.given.bits < 16 and self.block_words == 1

    def value(self, taken: Sequence[Expr], i: Expr | int, zero: Expr) -> Expr:
        """Input i of a block as float32, before its scale."""
        if isinstance(i, int):
            return taken[i] if self.given.kind == "float16" else self._value(taken, i, zero)
        shift = tirx.Cast("uint32", i * self.given.bits)
        code = tirx.bitwise_and(tirx.shift_right(taken[0], shift), self._mask())
        return tirx.Cast("float32", tirx.Cast("int32", code) - zero)

    def _mask(self) -> Expr:
        return tirx.const((1 << self.given.bits) - 1, "uint32")

    def _value(self, words: Sequence[Expr], i: int, zero: Expr) -> Expr:
        bits = self.given.bits
        if self.given.kind == "float32":
            return tirx.reinterpret("float32", words[0])
        if not self.given.is_integer:
            bits = words[0] & _u(0xFFFF0000) if i else tirx.shift_left(words[0], _u(16))
            return tirx.reinterpret("float32", bits)
        at, shift = divmod(i * bits, 32)
        code = tirx.shift_right(words[at], _u(shift)) if shift else words[at]
        if shift + bits > 32:
            code = tirx.bitwise_or(code, tirx.shift_left(words[at + 1], _u(32 - shift)))
        if shift + bits != 32:
            code = tirx.bitwise_and(code, self._mask())
        return tirx.Cast("float32", tirx.Cast("int32", code) - zero)


def lane(quad: Expr, j: int) -> Expr:
    """Element j of a vector."""
    return tirx.Shuffle([quad], [tirx.const(j)])


def _u(value: int) -> Expr:
    return tirx.const(value, "uint32")


def _join(codes: Array, bits: int) -> Array:
    """Codes uint8 [.., inputs of a block] -> uint32 [.., words], a stream of bits."""
    if bits == 3:
        stream = np.unpackbits(codes[..., None], axis=-1, bitorder="little")[..., :3]
        flat = np.packbits(stream.reshape(*codes.shape[:-1], 96), axis=-1, bitorder="little")
        return np.ascontiguousarray(flat).view(np.uint32)
    shifts = (bits * np.arange(32 // bits)).astype(np.uint32)
    joined: Array = np.bitwise_or.reduce(codes.astype(np.uint32) << shifts, axis=-1)
    return joined[..., None]
