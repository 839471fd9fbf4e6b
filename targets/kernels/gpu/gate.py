"""`softmax_gate` on a GPU: y = x * softmax(z) + r, a work-group per row, or a thread per column."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.gpu.norm import row_sum, row_value
from edgemoe.targets.kernels.softmax_gate import SoftmaxGate
from edgemoe.targets.kernels.vector_math import register

STANDS_FOR = (SoftmaxGate,)

_LOWEST = tirx.const(-3.0e38, "float32")
_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class Gate:
    """The gate of `matrices` matrices of `tokens` by `channels`."""

    spec: SoftmaxGate
    matrices: int
    tokens: int
    channels: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (z, out, x?, r?)."""
        return tuple(c for c in self.spec.parameters if c.endswith("*"))

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        if self.spec.over_tokens:
            return -(-self.matrices * self.channels // self.threads)
        return self.matrices * self.tokens

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        names = ["z", "out", *(["x"] if self.spec.gated else []),
                 *(["r"] if self.spec.residual else [])]  # fmt: skip
        emit = self._columns if self.spec.over_tokens else self._rows
        pointers = dict.fromkeys(names, "float32")
        return grid.kernel(pointers, self.groups, self.threads, emit, device.subgroups)

    def _write(self, at: grid.Grid, place: Expr, value: Expr) -> None:
        if self.spec.gated:
            value = value * at.buffers["x"][place]
        if self.spec.residual:
            value = value + at.buffers["r"][place]
        T.buffer_store(at.buffers["out"], value, [place])

    def _rows(self, at: grid.Grid) -> None:
        z, first, width = at.buffers["z"], register(at.group * self.channels), self.channels
        values = grid.shared(self.threads)
        peak = row_value(
            at, values, width, self.threads, lambda j: z[first + j], _LOWEST, grid.larger
        )
        total = row_sum(at, values, width, self.threads, lambda j: tirx.exp(z[first + j] - peak))
        grid.strided(
            at.thread, width, self.threads,
            lambda j: self._write(at, first + j, tirx.exp(z[first + j] - peak) / total),
        )  # fmt: skip

    def _columns(self, at: grid.Grid) -> None:
        z, column = at.buffers["z"], register(at.group * self.threads + at.thread)
        with grid.when(column < self.matrices * self.channels):
            matrix = tirx.truncdiv(column, self.channels)
            start = register(
                matrix * (self.tokens * self.channels) + tirx.truncmod(column, self.channels)
            )
            peak, total = grid.registers(1), grid.registers(1)
            T.buffer_store(peak, _LOWEST, [0])
            T.buffer_store(total, _ZERO, [0])
            with T.serial(0, self.tokens) as token:
                value = z[start + token * self.channels]
                T.buffer_store(peak, tirx.max(peak[0], value), [0])
            with T.serial(0, self.tokens) as token:
                value = tirx.exp(z[start + token * self.channels] - peak[0])
                T.buffer_store(total, total[0] + value, [0])
            with T.serial(0, self.tokens) as token:
                place = register(start + token * self.channels)
                self._write(at, place, tirx.exp(z[place] - peak[0]) / total[0])


def stand_in(call: Call) -> Gate:
    """The same gate; how many matrices there are follows from the size of `z`."""
    tokens, channels = call.integers
    matrices = call.words[0] // (tokens * channels)
    wanted = matrices * channels if call.spec.over_tokens else channels
    return Gate(call.spec, matrices, tokens, channels, call.threads(wanted))
