"""Instructions that multiply integer codes of weights with int8 activations, behind one interface.

Weights come as vectors of 32-bit words, one word per column (see `panels`); activations as words
of four inputs, broadcast to all columns. `Dot` says how a word becomes four codes, how products are
added up, and what is left to subtract for the code of 0. The loops around are the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import opaque, three_bits
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat

INPUTS = 4
"""Inputs of one dot product: four codes against four activations."""


def as_bytes(words: Expr, lanes: int) -> Expr:
    """A vector of words as the vector of its bytes."""
    return tirx.reinterpret(typed("int8", 4 * lanes), words)


@dataclass(frozen=True)
class Dot:
    """int32 += four products, in every lane; here by what any target can do.

    `lanes` is the number of columns of a vector.
    """

    lanes: int

    pairs_rows = False
    """Whether two rows are multiplied at a time, see `mmla_tile`."""

    opaque_in = ""
    """The constraint letter of vector registers, where values must be hidden, see `opaque`."""

    rolls_groups = False
    """Whether the words of a group stay a loop; LLVM would unroll it, and load far ahead."""

    def word(self, value: int) -> Expr:
        """A constant in every lane."""
        scalar = tirx.const(value, "int32")
        return tirx.Broadcast(scalar, self.lanes) if self.lanes > 1 else scalar

    def magnitudes(self, given: WeightFormat) -> bool:
        """Tell whether activations come twice: as they are, and without their signs."""
        del given
        return False

    def tallest(self, given: WeightFormat, limit: int) -> int:
        """Most rows of a tile whose sums stay in registers, of `limit` for float products."""
        return limit // self.vectors_per_sum(given)

    def widest(self, given: WeightFormat, limit: int) -> int:
        """Most rows of a tile that takes all columns of a panel, of `limit` for float products."""
        return limit // self.vectors_per_sum(given)

    def sums(self, given: WeightFormat) -> tuple[str, int]:
        """Dtype of the running sums, and how many there are per vector of columns."""
        del given
        return "int32", self.lanes

    def steps(self, given: WeightFormat) -> int | None:
        """How many dot products the sums can hold, None for any number."""
        del given
        return None

    def bias(self, given: WeightFormat) -> int:
        """What `take` adds to the codes as they are stored."""
        del given
        return 0

    def vectors_per_sum(self, given: WeightFormat) -> int:
        """Registers that the sums of one vector of columns take."""
        del given
        return 1

    activation_bias = 0
    """What static activations are moved up by, see `static_dots`."""

    takes_in_place = False
    """Whether there is `take_in_place`."""

    def take_in_place(self, raw: Sequence[Expr], part: int, given: WeightFormat) -> Expr:
        """The codes of `take`, times 2 ** (part * bits)."""
        raise NotImplementedError

    def chains(self, cells: int, given: WeightFormat) -> int:
        """Sums that each of `cells` vectors has, to hide the latency of `add`."""
        del cells, given
        return 1

    def spread(self, activations: Expr) -> Expr:
        """A word of activations, in every lane."""
        return tirx.Broadcast(activations, self.lanes) if self.lanes > 1 else activations

    def take(self, raw: Sequence[Expr], part: int, given: WeightFormat) -> Expr:
        """Four codes per word, of the words of a block; those of 8 bits are signed."""
        if given.bits == 8:
            return raw[0]
        if given.bits == 3:
            return three_bits.take(raw, part, self.word)
        shifted = tirx.shift_right(raw[0], self.word(part * given.bits)) if part else raw[0]
        mask = ((1 << given.bits) - 1) * 0x01010101
        return tirx.bitwise_and(shifted, self.word(mask))

    def add(
        self, total: Expr, codes: Expr, activations: Sequence[Expr], given: WeightFormat
    ) -> Expr:
        """`total` plus the products; `activations` are broadcast words."""
        del given
        for i in range(INPUTS):
            total = total + self._byte(codes, i) * self._byte(activations[0], i)
        return total

    def _byte(self, words: Expr, i: int) -> Expr:
        left = tirx.shift_left(words, self.word(24 - 8 * i)) if i < INPUTS - 1 else words
        return tirx.shift_right(left, self.word(24))

    def widened(self, total: Expr, given: WeightFormat) -> Expr:
        """The sums as int32, one lane per column."""
        del given
        return total


@dataclass(frozen=True)
class Vnni(Dot):
    """`vpdpbusd` of AVX512-VNNI (16 columns) and AVX-VNNI (8): unsigned codes, signed inputs."""

    takes_in_place = True

    def take_in_place(self, raw: Sequence[Expr], part: int, given: WeightFormat) -> Expr:
        """Unsigned bytes, of at most 240."""
        mask = ((1 << given.bits) - 1 << part * given.bits) * 0x01010101
        return tirx.bitwise_and(raw[0], self.word(mask - (mask >> 31 << 32)))

    def chains(self, cells: int, given: WeightFormat) -> int:
        """As many as two products per cycle of five cycles need, and half the registers hold.

        Of 16 registers, codes below 8 bits take the rest for words and masks.
        """
        if self.lanes < 16 and given.bits < 8:
            return 1
        most = (10 if self.lanes == 16 else 8) // cells
        return 1 << max(0, most.bit_length() - 1)

    def bias(self, given: WeightFormat) -> int:
        """8-bit codes are moved up by 128, to be unsigned."""
        return 128 if given.bits == 8 else 0

    def take(self, raw: Sequence[Expr], part: int, given: WeightFormat) -> Expr:
        """Four unsigned codes per word."""
        if given.bits == 8:
            return tirx.bitwise_xor(raw[0], self.word(-0x7F7F7F80))
        return super().take(raw, part, given)

    def add(
        self, total: Expr, codes: Expr, activations: Sequence[Expr], given: WeightFormat
    ) -> Expr:
        """One instruction."""
        del given
        return T.call_llvm_pure_intrin(
            typed("int32", self.lanes), f"llvm.x86.avx512.vpdpbusd.{32 * self.lanes}", total,
            as_bytes(codes, self.lanes), as_bytes(activations[0], self.lanes),
        )  # fmt: skip


@dataclass(frozen=True)
class Avx2(Dot):
    """AVX2: `vpmaddubsw`, which adds unsigned times signed bytes in pairs, saturated to 16 bits.

    Codes below 8 bits are unsigned and small: 16-bit sums hold many products (for 4 bits 8, as
    8 * 2 * 15 * 127 = 30480). For 8 bits the magnitudes of the activations are unsigned, and their
    signs go over to the codes: a pair is at most 2 * 127 * 127 = 32258, and is widened at once.
    """

    opaque_in = "x"

    def magnitudes(self, given: WeightFormat) -> bool:
        """For 8 bits."""
        return given.bits == 8

    def tallest(self, given: WeightFormat, limit: int) -> int:
        """One row less than for floats: codes and activations take more registers."""
        del given
        return limit - 1

    def sums(self, given: WeightFormat) -> tuple[str, int]:
        """16 bits, two per column, below 8 bits."""
        return ("int32", self.lanes) if given.bits == 8 else ("int16", 2 * self.lanes)

    def steps(self, given: WeightFormat) -> int | None:
        """As many as 16 bits hold."""
        return None if given.bits == 8 else 32767 // (2 * given.largest_code * 127)

    def add(
        self, total: Expr, codes: Expr, activations: Sequence[Expr], given: WeightFormat
    ) -> Expr:
        """`total` plus the products."""
        if given.bits != 8:
            return opaque.keep(total + self._pairs(codes, activations[0]))
        signed, magnitude = activations
        moved = T.call_llvm_pure_intrin(
            "int8x32", "llvm.x86.avx2.psign.b", as_bytes(codes, 8), as_bytes(signed, 8)
        )
        return opaque.keep(total + self._halves(self._pairs(magnitude, moved)))

    def widened(self, total: Expr, given: WeightFormat) -> Expr:
        """Pairs of 16-bit sums, added up."""
        return total if given.bits == 8 else self._halves(total)

    def _pairs(self, unsigned: Expr, signed: Expr) -> Expr:
        return T.call_llvm_pure_intrin(
            "int16x16", "llvm.x86.avx2.pmadd.ub.sw", tirx.reinterpret("int8x32", unsigned),
            tirx.reinterpret("int8x32", signed),
        )  # fmt: skip

    def _halves(self, pairs: Expr) -> Expr:
        ones = tirx.Broadcast(tirx.const(1, "int16"), 16)
        return T.call_llvm_pure_intrin("int32x8", "llvm.x86.avx2.pmadd.wd", pairs, ones)


@dataclass(frozen=True)
class Arm(Dot):
    """What the dot products of AArch64 share."""

    opaque_in = "w"
    rolls_groups = True

    def tallest(self, given: WeightFormat, limit: int) -> int:
        """One row less below 8 bits: words and the codes taken from them are in registers."""
        return super().tallest(given, limit) - (given.bits < 8)

    def widest(self, given: WeightFormat, limit: int) -> int:
        """Likewise."""
        return max(1, super().widest(given, limit) - (given.bits < 8))

    def take(self, raw: Sequence[Expr], part: int, given: WeightFormat) -> Expr:
        """Four codes per word; bytes are shifted, which leaves nothing to mask off the last."""
        if given.bits in (8, 3) or part * given.bits + given.bits < 8:
            return super().take(raw, part, given)
        codes = tirx.reinterpret(typed("uint8", 4 * self.lanes), raw[0])
        by = tirx.Broadcast(tirx.const(part * given.bits, "uint8"), 4 * self.lanes)
        return tirx.reinterpret(typed("int32", self.lanes), tirx.shift_right(codes, by))


@dataclass(frozen=True)
class Neon(Arm):
    """NEON without dot products: bytes are multiplied to 16 bits (`smull`, `smlal`).

    Below 8 bits, 16-bit sums hold several products of every input (15 * 127 * 16 = 30480). Products
    of 8 bits are added up in pairs to 32 bits (`sadalp`), two sums per column.
    """

    def spread(self, activations: Expr) -> Expr:
        """Opaque: LLVM would see equal halves, and move the upper codes down for want of others."""
        return opaque.keep(super().spread(activations))

    def sums(self, given: WeightFormat) -> tuple[str, int]:
        """Four sums of 16 bits per column, or two of 32."""
        return ("int32", 2 * self.lanes) if given.bits == 8 else ("int16", 4 * self.lanes)

    def vectors_per_sum(self, given: WeightFormat) -> int:
        """Two, in either case."""
        del given
        return 2

    def steps(self, given: WeightFormat) -> int | None:
        """As many as 16 bits hold."""
        return None if given.bits == 8 else 32767 // (given.largest_code * 127)

    def add(
        self, total: Expr, codes: Expr, activations: Sequence[Expr], given: WeightFormat
    ) -> Expr:
        """`total` plus the products."""
        each = 4 * self.lanes
        wide = [
            tirx.Cast(typed("int16", each), as_bytes(words, self.lanes))
            for words in (codes, activations[0])
        ]
        products = wide[0] * wide[1]
        if given.bits != 8:
            return total + products
        products = register(products)
        return total + self._joined([self._pairs(half) for half in self._halves(products, each)])

    def widened(self, total: Expr, given: WeightFormat) -> Expr:
        """Sums of one column, added up."""
        total = register(total)
        if given.bits != 8:
            parts = [self._pairs(half) for half in self._halves(total, 4 * self.lanes)]
        else:
            parts = self._halves(total, 2 * self.lanes)
        return T.call_llvm_pure_intrin("int32x4", "llvm.aarch64.neon.addp.v4i32", *parts)

    def _halves(self, vector: Expr, count: int) -> list[Expr]:
        places = list(range(count))
        return [
            tirx.Shuffle([vector], places[: count // 2]),
            tirx.Shuffle([vector], places[count // 2 :]),
        ]

    def _joined(self, halves: Sequence[Expr]) -> Expr:
        return tirx.Shuffle([register(half) for half in halves], list(range(8)))

    def _pairs(self, halves: Expr) -> Expr:
        return T.call_llvm_pure_intrin("int32x4", "llvm.aarch64.neon.saddlp.v4i32.v8i16", halves)


@dataclass(frozen=True)
class Sdot(Arm):
    """`sdot` of Armv8.2 (FEAT_DotProd): signed codes, signed inputs."""

    def add(
        self, total: Expr, codes: Expr, activations: Sequence[Expr], given: WeightFormat
    ) -> Expr:
        """One instruction."""
        del given
        return T.call_llvm_pure_intrin(
            "int32x4", "llvm.aarch64.neon.sdot.v4i32.v16i8", total, as_bytes(codes, 4),
            as_bytes(activations[0], 4),
        )  # fmt: skip


@dataclass(frozen=True)
class Smmla(Sdot):
    """`smmla` of Armv8.6 (FEAT_I8MM) for two rows and more, see `mmla_tile`; one row by `sdot`."""

    pairs_rows = True

    def tallest(self, given: WeightFormat, limit: int) -> int:
        """Two pairs: with three, the interleaved weights leave no register free."""
        del given, limit
        return 4


KINDS: dict[str, type[Dot]] = {
    "generic": Dot, "vnni": Vnni, "avx2": Avx2, "neon": Neon, "sdot": Sdot, "smmla": Smmla,
}  # fmt: skip
"""Dot products by the name that target files give."""


def dot_of(isa: Isa) -> Dot:
    """The best dot product of an instruction set."""
    return KINDS[isa.dot](isa.lanes)
