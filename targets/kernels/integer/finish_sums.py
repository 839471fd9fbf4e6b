"""Sums of products that several experts added to, as the narrow results that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import extern, local
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers

INTEGERS = ("stride", "columns", "left", "offset", "right", "low", "high")
"""`stride` of a row of sums; the others are those of a product."""


@dataclass(frozen=True)
class FinishSums(IntegerKernel):
    """The kernel; one task per row. Results are `limited` by more than their dtype."""

    out: str
    limited: bool

    @property
    def integers(self) -> tuple[str, ...]:
        """Names of the integer parameters."""
        return INTEGERS if self.limited else INTEGERS[:-2]

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"sums": "int32", "multiplier": "int32", "out": self.out}

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        with T.serial(n["begin"], n["end"]) as row:
            start, out = local(row * n["stride"]), local(row * n["columns"])

            def one(column: Expr, start: Expr = start, out: Expr = out) -> None:
                total = local(buffers["sums"][start + column] * n["left"])
                factor = buffers["multiplier"][column]
                high = local(extern("em_smmla", total, factor, n["offset"]))
                shifted = local(tirx.shift_right(high, n["right"]))
                found = within(shifted, n, self.out, limited=self.limited)
                T.buffer_store(buffers["out"], tirx.Cast(self.out, found), [out + column])

            tiles.for_unrolled(n["columns"], 4, one)


def within(value: Expr, n: Mapping[str, Expr], dtype: str, *, limited: bool) -> Expr:
    """`value` within the limits of a result, or of all numbers of its dtype."""
    if limited:
        return extern("em_limit", value, n["low"], n["high"])
    return extern(f"em_whole_s{dtype.removeprefix('int')}", value)
