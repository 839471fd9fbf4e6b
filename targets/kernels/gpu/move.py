"""`copy`, `shift`, `fill`: words from one buffer to another, where CPUs call `memmove`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.copy import Copy
from edgemoe.targets.kernels.fill import Fill
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.shift import Shift

STANDS_FOR = (Copy, Fill, Shift)

EACH = 4
"""Words that a thread moves."""


@dataclass(frozen=True)
class Move:
    """out[i] = x[i + by] inside of windows of `window` words; zeros where `what` is "fill"."""

    what: Literal["copy", "shift", "fill"]
    count: int  # of words written or looked at
    threads: int
    window: int = 0
    by: int = 0

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out), or of (out) to fill."""
        return ("int32_t*",) * (1 if self.what == "fill" else 2)

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return -(-self.count // (self.threads * EACH))

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        pointers = {"out": "int32"} if self.what == "fill" else {"x": "int32", "out": "int32"}

        def body(at: grid.Grid) -> None:
            with T.serial(0, EACH) as j:
                i = at.group * (self.threads * EACH) + j * self.threads + at.thread
                inside = i < self.count
                if self.what == "shift":
                    inside = tirx.all(inside, tirx.truncmod(i, self.window) < self.window - self.by)
                with grid.when(inside):
                    value = tirx.const(0, "int32")
                    if self.what != "fill":
                        value = at.buffers["x"][i + self.by]
                    T.buffer_store(at.buffers["out"], value, [i])

        return grid.kernel(pointers, self.groups, self.threads, body)


def stand_in(call: Call) -> Move:
    """The move of whole buffers; sizes in bytes were those of the model's dtypes."""
    count = call.words[-1]
    threads = call.threads(-(-count // EACH))
    if isinstance(call.spec, Shift):
        window, by = call.integers
        each = count // call.tasks
        return Move("shift", count, threads, each, each * by // window)
    return Move("fill" if isinstance(call.spec, Fill) else "copy", count, threads)
