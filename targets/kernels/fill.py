"""`fill`: zeros over a buffer, for rows that no expert computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.copy import CHUNK
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class Fill:
    """The kernel; one task per chunk."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (target, bytes)."""
        return ("int8_t*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (nbytes, begin, end) = tiles.parameters({"target": "int8"}, ("bytes",))
            with T.serial(begin, end) as task:
                first = tiles.local(task * CHUNK)
                count = tirx.min(nbytes - first, CHUNK)
                tiles.call(
                    "memset", T.address_of(buffers["target"][first]), tirx.const(0, "int32"),
                    tirx.Cast("int64", count),
                )  # fmt: skip
        return tiles.Built(builder.get())

    @staticmethod
    def append(program: Program, target: int, nbytes: int, **facts: Any) -> None:
        """Append zeros over a buffer to `program`."""
        program.step(
            Fill(), "fill", [Pointer(target), nbytes], tasks=max(1, -(-nbytes // CHUNK)),
            label=f"fill {nbytes} B with zeros", nbytes=nbytes,
            reason="tokens without an expert give zero", **facts,
        )  # fmt: skip
