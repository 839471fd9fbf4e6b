"""`widen`: a constant that is stored in 16 bits, as float32 in the arena.

Kernels read biases, norms and tables as float32. Where a search lets a constant have 16 bits, this
runs once per call before the first kernel that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa

CHUNK = 1 << 12
"""Elements per task."""


@dataclass(frozen=True)
class Widen:
    """The kernel for "float16" or "bfloat16"; one task per chunk."""

    kind: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (source, target, count)."""
        return ("uint16_t*", "float*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (count, begin, end) = tiles.parameters(
                {"source": "uint16", "target": "float32"}, ("count",)
            )
            with T.serial(begin, end) as task:
                first = tiles.local(task * CHUNK)

                def vector(j: Expr, lanes: int) -> None:
                    at = tiles.local(first + j)
                    value = tiles.load_weights(buffers["source"], at, lanes, self.kind)
                    tiles.store(buffers["target"], at, value, lanes)

                tiles.for_columns(tiles.local(tirx.min(count - first, CHUNK)), isa.lanes, vector)
        return tiles.Built(builder.get())

    @staticmethod
    def append(
        program: Program, source: int, target: int, count: int, kind: str, **facts: Any
    ) -> None:
        """Append the conversion of `count` elements to `program`."""
        program.step(
            Widen(kind), "widen", [Pointer(source), Pointer(target), count],
            tasks=max(1, -(-count // CHUNK)), label=f"widen {count} constants", nbytes=6 * count,
            reason=f"stored as {kind}, read as float32", **facts,
        )  # fmt: skip
