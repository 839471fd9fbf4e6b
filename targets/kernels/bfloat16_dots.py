"""Instructions that multiply pairs of bfloat16 and add them up in float32, behind one interface.

Weights come as vectors of 32-bit words, one word per column: the inputs 2p (low half) and 2p + 1.
Rows are stored by `round_rows` as an instruction wants them. What the instructions do to the last
bit is their own: `vdpbf16ps` takes subnormal numbers for 0, `bfdot` and `bfmmla` round sums to odd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.spec import Isa

UPPER_HALF = -0x10000
"""The mask of the upper half of a word: a bfloat16 there is a float32."""

_FUNCTION = """
define linkonce_odr <{lanes} x float> @edgemoe_{name}(
    <{lanes} x float> %sum, <{lanes} x i32> %a, <{lanes} x i32> %b) alwaysinline {{
  %left = bitcast <{lanes} x i32> %a to <{halves} x bfloat>
  %right = bitcast <{lanes} x i32> %b to <{halves} x bfloat>
  %total = call <{lanes} x float> @{intrinsic}(
      <{lanes} x float> %sum, <{halves} x bfloat> %left, <{halves} x bfloat> %right)
  ret <{lanes} x float> %total
}}
declare <{lanes} x float> @{intrinsic}(<{lanes} x float>, <{halves} x bfloat>, <{halves} x bfloat>)
"""


@dataclass(frozen=True)
class Bf16Dot:
    """float32 += two products, in every lane; here by float32, as any target can.

    `lanes` is the number of columns of a vector. Rows lie as float32, rounded to bfloat16.
    """

    lanes: int

    row_words = 2
    """32-bit words of a row that a pair of inputs takes."""

    pairs_rows = False
    """Whether two rows are multiplied at a time, see `bfloat16_tile`."""

    intrinsics: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Names of our functions and of LLVM's that they call. TVM widens vectors of bfloat16: only in
    LLVM's language can they be handed over."""

    def tallest(self, limit: int) -> int:
        """Most rows of a tile, of `limit` for float32: a word becomes two vectors of weights."""
        return limit if self.lanes in (1, 16) else limit - 1

    def weights(self, words: Expr) -> list[Expr]:
        """What `add` takes for a vector of words."""
        low = tirx.shift_left(words, tiles.splat(tirx.const(16, "int32"), self.lanes))
        high = tirx.bitwise_and(words, tiles.splat(tirx.const(UPPER_HALF, "int32"), self.lanes))
        return [
            register(tirx.reinterpret(typed("float32", self.lanes), half)) for half in (low, high)
        ]

    def inputs(self, a: tirx.Var, at: Expr) -> list[Expr]:
        """What `add` takes for the pair of inputs from word `at` of the rows on."""
        return [
            register(tiles.splat(tirx.reinterpret("float32", a[at + i]), self.lanes))
            for i in range(2)
        ]

    def add(self, total: Expr, inputs: Sequence[Expr], weights: Sequence[Expr]) -> Expr:
        """`total` plus the products, even inputs first."""
        for value, weight in zip(inputs, weights, strict=True):
            total = total + value * weight
        return total

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Inside, `add` may be used."""
        text = "".join(
            _FUNCTION.format(name=name, intrinsic=called, lanes=self.lanes, halves=2 * self.lanes)
            for name, called in self.intrinsics
        )
        if not text:
            yield
            return
        with T.attr("default", "pragma_import_llvm", text):
            yield

    def call(self, name: str, total: Expr, left: Expr, right: Expr) -> Expr:
        """One of the functions of `intrinsics`."""
        dtype = typed("float32", self.lanes)
        return T.call_extern(dtype, f"edgemoe_{name}", total, left, right)


@dataclass(frozen=True)
class Paired(Bf16Dot):
    """What the instructions share: rows lie as pairs of bfloat16, which go to all columns."""

    row_words = 1

    def tallest(self, limit: int) -> int:
        """As for float32."""
        return limit

    def weights(self, words: Expr) -> list[Expr]:
        """The words."""
        return [words]

    def inputs(self, a: tirx.Var, at: Expr) -> list[Expr]:
        """The pair in every lane."""
        return [register(tiles.splat(a[at], self.lanes))]

    def add(self, total: Expr, inputs: Sequence[Expr], weights: Sequence[Expr]) -> Expr:
        """One instruction."""
        ((name, _), *_) = self.intrinsics
        return self.call(name, total, inputs[0], weights[0])


@dataclass(frozen=True)
class Avx512(Paired):
    """`vdpbf16ps` of AVX512-BF16."""

    intrinsics = (("vdpbf16ps", "llvm.x86.avx512bf16.dpbf16ps.512"),)


@dataclass(frozen=True)
class Neon(Paired):
    """`bfdot` and `bfmmla` of Armv8.6 (FEAT_BF16): one row, and two rows at a time.

    `bfmmla` adds the products of four inputs as two `bfdot` do, pair by pair (Arm ARM, BFMatMulAdd
    and BFDotAdd): both give the same bits.
    """

    pairs_rows = True
    intrinsics = (
        ("bfdot", "llvm.aarch64.neon.bfdot.v4f32.v8bf16"), ("bfmmla", "llvm.aarch64.neon.bfmmla"),
    )  # fmt: skip

    def tallest(self, limit: int) -> int:
        """Two pairs, as for `smmla`."""
        return min(limit, 4)


KINDS: dict[str, type[Bf16Dot]] = {"widened": Bf16Dot, "avx512": Avx512, "neon": Neon}
"""Dot products by the name that target files give."""


def dot_of(isa: Isa) -> Bf16Dot:
    """The dot product of an instruction set."""
    return KINDS[isa.bf16](isa.lanes)
