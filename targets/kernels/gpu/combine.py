"""Sums the results of the slots of every token: in the order of slots, without atomics."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.vector_math import register


@dataclass(frozen=True)
class Combine:
    """out[t, n] = sum over j of y[t * chosen + j, n], where slot t * chosen + j has an expert."""

    scored: bool
    tokens: int
    chosen: int
    experts: int
    columns: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (routes, y, out)."""
        return ("float*" if self.scored else "int32_t*", "float*", "float*")

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return -(-self.tokens * self.columns // self.threads)

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        routes = "float32" if self.scored else "int32"
        names = {"routes": routes, "y": "float32", "out": "float32"}

        def emit(at: grid.Grid) -> None:
            i = register(at.group * self.threads + at.thread)
            with grid.when(i < self.tokens * self.columns):
                token = register(tirx.truncdiv(i, self.columns))
                column = register(tirx.truncmod(i, self.columns))
                total = grid.registers(1)
                T.buffer_store(total, tirx.const(0.0, "float32"), [0])
                with T.serial(0, self.chosen) as j:
                    slot = register(token * self.chosen + j)
                    route = register(at.buffers["routes"][slot])
                    exists = (
                        route != tirx.const(0.0, "float32") if self.scored
                        else tirx.all(route >= 0, route < self.experts)
                    )  # fmt: skip
                    with grid.when(exists):
                        value = at.buffers["y"][slot * self.columns + column]
                        T.buffer_store(total, total[0] + value, [0])
                T.buffer_store(at.buffers["out"], total[0], [i])

        return grid.kernel(names, self.groups, self.threads, emit)
