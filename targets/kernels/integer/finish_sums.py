"""Sums of products that several experts added to, as the narrow results that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import extern, local
from edgemoe.targets.kernels.integer.site import C_TYPES
from edgemoe.targets.spec import Isa

INTEGERS = ("stride", "columns", "left", "offset", "right", "low", "high")
"""`stride` of a row of sums; the others are those of a product."""


@dataclass(frozen=True)
class FinishSums:
    """The kernel; one task per row. Results are `limited` by more than their dtype."""

    out: str
    limited: bool

    @property
    def integers(self) -> tuple[str, ...]:
        """Names of the integer parameters."""
        return INTEGERS if self.limited else INTEGERS[:-2]

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (sums, multiplier, out, integers...)."""
        pointers = ("int32_t*", "int32_t*", C_TYPES[self.out])
        return (*pointers, *["int32_t"] * len(self.integers))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, numbers = tiles.parameters(
                {"sums": "int32", "multiplier": "int32", "out": self.out}, self.integers
            )
            n = dict(zip((*self.integers, "begin", "end"), numbers, strict=True))
            with T.serial(n["begin"], n["end"]) as row:
                start, out = local(row * n["stride"]), local(row * n["columns"])

                def one(column: Expr, start: Expr = start, out: Expr = out) -> None:
                    total = local(buffers["sums"][start + column] * n["left"])
                    factor = buffers["multiplier"][column]
                    high = local(extern("em_smmla", total, factor, n["offset"]))
                    found = self._within(local(tirx.shift_right(high, n["right"])), n)
                    T.buffer_store(buffers["out"], tirx.Cast(self.out, found), [out + column])

                tiles.for_unrolled(n["columns"], 4, one)
        return tiles.Built(builder.get())

    def _within(self, value: Expr, n: Mapping[str, Expr]) -> Expr:
        if self.limited:
            return extern("em_limit", value, n["low"], n["high"])
        return extern(f"em_whole_s{self.out.removeprefix('int')}", value)
