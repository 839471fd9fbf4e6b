"""`norm` and `softmax` of rows: one work-group per row, as `kernels/norm` and `kernels/softmax`."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.norm import Norm
from edgemoe.targets.kernels.softmax import Softmax
from edgemoe.targets.kernels.vector_math import register

STANDS_FOR = (Norm, Softmax)

_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class RowNorm:
    """A norm or a softmax of `rows` rows of `width`."""

    spec: Norm | Softmax
    rows: int
    width: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out, scale?, shift?)."""
        return tuple(c for c in self.spec.parameters if c.endswith("*"))

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.rows

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        names = ["x", "out", "scale", "shift"]
        if isinstance(self.spec, Norm) and not self.spec.scale:
            names.remove("scale")
        pointers = dict.fromkeys(names[: len(self.parameters)], "float32")
        emit = self._norm if isinstance(self.spec, Norm) else self._softmax
        return grid.kernel(pointers, self.groups, self.threads, emit, device.subgroups)

    def _norm(self, at: grid.Grid) -> None:
        spec = self.spec
        assert isinstance(spec, Norm)
        x, out, first = at.buffers["x"], at.buffers["out"], register(at.group * self.width)
        values, share = grid.shared(self.threads), tirx.const(1.0 / self.width, "float32")
        mean = _ZERO
        if spec.kind == "layer":
            mean = register(
                row_sum(at, values, self.width, self.threads, lambda j: x[first + j]) * share
            )

        def square(j: Expr) -> Expr:
            value = register(x[first + j] - mean)
            return value * value

        squares = row_sum(at, values, self.width, self.threads, square)
        epsilon = tirx.const(spec.epsilon, "float32")
        factor = register(tirx.const(1.0, "float32") / tirx.sqrt(squares * share + epsilon))

        def write(j: Expr) -> None:
            value = (x[first + j] - mean) * factor
            if spec.scale:
                value = value * at.buffers["scale"][j]
            if spec.shift:
                value = value + at.buffers["shift"][j]
            T.buffer_store(out, value, [first + j])

        grid.strided(at.thread, self.width, self.threads, write)

    def _softmax(self, at: grid.Grid) -> None:
        x, out, first = at.buffers["x"], at.buffers["out"], register(at.group * self.width)
        values = grid.shared(self.threads)
        lowest = tirx.const(-3.0e38, "float32")
        peak = row_value(
            at, values, self.width, self.threads, lambda j: x[first + j], lowest, grid.larger
        )
        total = row_sum(
            at, values, self.width, self.threads, lambda j: tirx.exp(x[first + j] - peak)
        )
        grid.strided(
            at.thread, self.width, self.threads,
            lambda j: T.buffer_store(out, tirx.exp(x[first + j] - peak) / total, [first + j]),
        )  # fmt: skip


def row_value(
    at: grid.Grid, values: tirx.Var, width: int, threads: int, of: grid.Element, start: Expr,
    combine: grid.Combine,
) -> Expr:  # fmt: skip
    """`of(j)` for j < width combined by a work-group; `values` are shared, one per thread."""
    part = grid.registers(1)
    T.buffer_store(part, start, [0])
    grid.strided(
        at.thread, width, threads,
        lambda j: T.buffer_store(part, combine(part[0], of(j)), [0]),
    )  # fmt: skip
    grid.barrier()  # nobody reads the last result any more
    T.buffer_store(values, part[0], [at.thread])
    grid.reduce(at, values, threads, combine)
    return register(values[0])


def row_sum(at: grid.Grid, values: tirx.Var, width: int, threads: int, of: grid.Element) -> Expr:
    """The sum of `of(j)` for j < width, in every thread."""
    return row_value(at, values, width, threads, of, _ZERO, lambda a, b: a + b)


def stand_in(call: Call) -> RowNorm:
    """A work-group per row, with no more threads than a row has elements."""
    (width,) = call.integers
    return RowNorm(call.spec, call.tasks, width, call.threads(width))
