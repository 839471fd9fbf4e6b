"""`copy`: bytes from one buffer to another; both may be the same memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa

CHUNK = 1 << 14
"""Bytes per task."""


@dataclass(frozen=True)
class Copy:
    """The kernel; one task per chunk."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (source, target, bytes)."""
        return ("int8_t*", "int8_t*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (nbytes, begin, end) = tiles.parameters(
                {"source": "int8", "target": "int8"}, ("bytes",)
            )
            with T.serial(begin, end) as task:
                first = tiles.local(task * CHUNK)
                count = tirx.min(nbytes - first, CHUNK)
                # memmove: a state that is updated in place is its own source.
                tiles.call(
                    "memmove", T.address_of(buffers["target"][first]),
                    T.address_of(buffers["source"][first]), tirx.Cast("int64", count),
                )  # fmt: skip
        return tiles.Built(builder.get())

    @staticmethod
    def append(program: Program, source: int, target: int, nbytes: int, **facts: Any) -> None:
        """Append a copy to `program`."""
        program.step(
            Copy(), "copy", [Pointer(source), Pointer(target), nbytes],
            tasks=max(1, -(-nbytes // CHUNK)), label=f"copy {nbytes} B", nbytes=2 * nbytes,
            in_place=[(target, source)], reason="the source must stay as it is", **facts,
        )  # fmt: skip
