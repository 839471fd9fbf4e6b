"""Sums of products of two activations, four columns at a time, with what a core has for them."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.integer.cores import COLUMNS, extern, local, pointer, zeros
from edgemoe.targets.kernels.integer.mve import LANES


@dataclass(frozen=True)
class Operands:
    """A row of a and some columns of b, as they lie in memory.

    Elements of a follow each other from `start_a`. Column j of b begins at `start_b` + j `column`,
    and its elements are `along` apart, which is the constant 1 where they follow each other.
    """

    a: tirx.Var
    kind: str
    start_a: Expr
    b: tirx.Var
    start_b: Expr
    column: Expr
    along: Expr
    depth: Expr

    def at(self, column: Expr | int, k: Expr) -> Expr:
        """The place of an element of b."""
        return local(self.start_b + column * self.column + k * self.along)

    def pair(self, k: Expr) -> Expr:
        """Elements k and k + 1 of a as two int16."""
        if self.kind == "int16":
            return local(extern("em_load2", pointer(self.a, self.start_a + k)))
        first, second = (tirx.Cast("int32", self.a[self.start_a + k + i]) for i in (0, 1))
        return local(extern("em_lows16", first, second))


def single(x: Operands, sums: tirx.Var, columns: int, first: Expr | int) -> None:
    """One product at a time, from element `first` on."""
    with T.serial(0, x.depth - first) as n:
        k = local(n + first)
        value = local(tirx.Cast("int32", x.a[x.start_a + k]))
        for j in range(columns):
            code = tirx.Cast("int32", x.b[x.at(j, k)])
            T.buffer_store(sums, sums[j] + value * code, [j])


def four(core: str, x: Operands, contiguous: bool) -> tirx.Var:
    """The sums of four columns, int32 [4].

    Args:
        core: the name of the core.
        x: the operands; where columns are not `contiguous`, their elements side by side are.
        contiguous: whether the elements of a column follow each other.
    """
    sums = zeros(COLUMNS)
    if core == "mve":
        (_vectors if contiguous else _lanes)(x, sums)
    elif core == "smlad":
        (_words if contiguous else _pairs)(x, sums)
    else:
        single(x, sums, COLUMNS, 0)
    return sums


def _words(x: Operands, sums: tirx.Var) -> None:
    """Four elements of a column are a word: two dual products, of the even and the odd ones."""
    whole = local(tirx.truncdiv(x.depth, 4))
    with T.serial(0, whole) as n:
        k = local(n * 4)
        if x.kind == "int8":
            word = local(extern("em_load4", pointer(x.a, x.start_a + k)))
            even, odd = local(extern("em_sxtb16", word)), local(extern("em_sxtb16_ror8", word))
        else:
            low, high = x.pair(k), x.pair(local(k + 2))
            even = local(extern("em_lows16", low, high))
            odd = local(extern("em_highs16", low, high))
        for j in range(COLUMNS):
            code = local(extern("em_load4", pointer(x.b, x.at(j, k))))
            once = local(extern("em_smlad", even, extern("em_sxtb16", code), sums[j]))
            T.buffer_store(sums, extern("em_smlad", odd, extern("em_sxtb16_ror8", code), once), [j])
    single(x, sums, COLUMNS, local(whole * 4))


def _pairs(x: Operands, sums: tirx.Var) -> None:
    """A word holds an element of four columns: two words are four pairs."""
    whole = local(tirx.truncdiv(x.depth, 2))
    with T.serial(0, whole) as n:
        k = local(n * 2)
        value = x.pair(k)
        words = [local(extern("em_load4", pointer(x.b, x.at(0, local(k + i))))) for i in (0, 1)]
        for parity, name in enumerate(("em_sxtb16", "em_sxtb16_ror8")):
            halves = [local(extern(name, word)) for word in words]
            for upper, join in enumerate(("em_lows16", "em_highs16")):
                j = parity + 2 * upper
                codes = local(extern(join, *halves))
                T.buffer_store(sums, extern("em_smlad", value, codes, sums[j]), [j])
    single(x, sums, COLUMNS, local(whole * 2))


def _vectors(x: Operands, sums: tirx.Var) -> None:
    """Sixteen elements of a column at a time; nothing is read behind the last one."""
    name = "em_mve_s8_w8_0" if x.kind == "int8" else "em_mve_s16_w8_0"
    whole = local(tirx.truncdiv(x.depth, LANES))
    with T.serial(0, whole) as n:
        k = local(n * LANES)
        for j in range(COLUMNS):
            codes = pointer(x.b, x.at(j, k))
            value = extern(name, sums[j], pointer(x.a, x.start_a + k), codes, LANES)
            T.buffer_store(sums, value, [j])
    single(x, sums, COLUMNS, local(whole * LANES))


def _lanes(x: Operands, sums: tirx.Var) -> None:
    """A vector holds an element of four columns, times one of a."""
    name = f"em_across4_s{x.kind.removeprefix('int')}"
    first, start = pointer(x.a, x.start_a), pointer(x.b, x.start_b)
    T.evaluate(extern(name, first, start, x.along, x.depth, pointer(sums, tirx.const(0, "int32"))))
