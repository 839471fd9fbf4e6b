"""`shift`: the rows of a window without its oldest ones, at the front of another buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.program import Program
from edgemoe.targets.site import size_of
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class Shift:
    """The kernel; one task per window."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (source, target, bytes of a window, bytes that it moves by)."""
        return ("int8_t*", "int8_t*", "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (window, by, begin, end) = tiles.parameters(
                {"source": "int8", "target": "int8"}, ("window", "by")
            )
            with T.serial(begin, end) as task:
                start = tiles.local(task * window)
                tiles.call(
                    "memmove", T.address_of(buffers["target"][start]),
                    T.address_of(buffers["source"][start + by]),
                    tirx.Cast("int64", window - by),
                )  # fmt: skip
        return tiles.Built(builder.get())

    @staticmethod
    def append(
        program: Program, source: int, target: int, shape: Sequence[int], axis: int, rows: int,
        itemsize: int, **facts: Any,
    ) -> None:  # fmt: skip
        """Append the move of every window along `axis` of `shape` by `rows` to `program`."""
        row, windows = size_of(shape[axis + 1 :]) * itemsize, size_of(shape[:axis])
        program.step(
            Shift(), "shift", [Pointer(source), Pointer(target), shape[axis] * row, rows * row],
            tasks=windows, label=f"move {windows} windows by {rows} rows",
            nbytes=2 * windows * (shape[axis] - rows) * row, reason="the window moves on", **facts,
        )  # fmt: skip
