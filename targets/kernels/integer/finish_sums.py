"""Sums of products that several experts added to, as the narrow results that they stand for."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
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
            with T.serial(n["begin"], n["end"]) as row, T.serial(0, n["columns"]) as column:
                total = local(buffers["sums"][row * n["stride"] + column] * n["left"])
                high = local(extern("em_smmla", total, buffers["multiplier"][column], n["offset"]))
                value = local(tirx.shift_right(high, n["right"]))
                if self.limited:
                    found = extern("em_limit", value, n["low"], n["high"])
                else:
                    found = extern(f"em_whole_s{self.out.removeprefix('int')}", value)
                at = row * n["columns"] + column
                T.buffer_store(buffers["out"], tirx.Cast(self.out, found), [at])
        return tiles.Built(builder.get())
