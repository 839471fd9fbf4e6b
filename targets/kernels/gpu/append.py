"""`append` on a GPU: new rows of a narrow KV cache, rounded, a work-group per row.

Of rows for the same place the last one wins, as on CPUs, where one task writes them in their order:
here the others see that a later row has their place, and write nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe import kv_cache
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.append import Append
from edgemoe.targets.kernels.gpu import cache_words, grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.gpu.row_codes import codes_scale, rounded_code
from edgemoe.targets.kernels.vector_math import register

STANDS_FOR = (Append,)


@dataclass(frozen=True)
class GpuAppend:
    """`integers` are those of `Append`, for `tasks` tasks."""

    spec: Append
    integers: tuple[int, ...]
    tasks: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (new, cache, scales?, indices)."""
        scales = ("float*",) if self.spec.dtype == "int8" else ()
        return ("float*", cache_words.c_type(self.spec.dtype), *scales, "int32_t*")

    @property
    def _width(self) -> int:
        return self.integers[0]

    @property
    def _count(self) -> int:
        """Rows along the axis that grows, of which several may have the same place."""
        return self.integers[1]

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.tasks * self._count

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        names = {"new": "float32", "cache": "uint32"}
        if self.spec.dtype == "int8":
            names["scales"] = "float32"
        names["indices"] = "int32"
        return grid.kernel(names, self.groups, self.threads, self._emit, device.subgroups)

    def _emit(self, at: grid.Grid) -> None:
        inner = self.integers[2]
        number = register(tirx.truncmod(at.group, self._count))
        task = register(tirx.truncdiv(at.group, self._count))
        outer, within = tirx.truncdiv(task, inner), tirx.truncmod(task, inner)
        base = register(outer * (self._count * inner) + within)
        row = register(base + number * inner)
        target = register(self._target(at.buffers["indices"], row))
        wins = grid.registers(1, "int32")
        T.buffer_store(wins, tirx.Cast("int32", target >= 0), [0])
        with T.serial(0, self._count - 1 - number) as later:
            other = self._target(at.buffers["indices"], row + (later + 1) * inner)
            with grid.when(tirx.EQ(other, target)):
                T.buffer_store(wins, 0, [0])
        new, first = at.buffers["new"], register(row * self._width)
        inverse = None
        if self.spec.dtype == "int8":
            values = grid.shared(self.threads)
            scale, inverse = codes_scale(
                at, values, self.threads, self._width, lambda j: new[first + j],
                kv_cache.SMALLEST,
            )  # fmt: skip
            with grid.when(tirx.all(wins[0] > 0, tirx.EQ(at.thread, 0))):
                T.buffer_store(at.buffers["scales"], scale, [target])
        together = cache_words.IN_WORD[self.spec.dtype]
        words = self._width // together

        def word(i: Expr) -> None:
            given = [register(new[first + i * together + j]) for j in range(together)]
            if inverse is not None:
                given = [rounded_code(value, inverse) for value in given]
            joined = cache_words.join(given, self.spec.dtype)
            T.buffer_store(at.buffers["cache"], joined, [target * words + i])

        with grid.when(wins[0] > 0):
            grid.strided(at.thread, words, self.threads, word)

    def _target(self, indices: tirx.Var, row: Expr) -> Expr:
        """The row of the cache that row `row` goes to; -1 where it lies outside."""
        _, _, _, index_rows, step = self.integers[:5]
        depth = self.spec.depth
        pairs, axes = self.integers[5 : 5 + 2 * depth], self.integers[5 + 2 * depth :]
        first = register(tirx.truncdiv(row, index_rows) * step)
        target: Expr = tirx.const(0, "int32")
        valid: Expr = tirx.const(1, "bool")
        for i in range(depth):
            size, stride = pairs[2 * i : 2 * i + 2]
            place = register(indices[first + i])
            place = register(tirx.Select(place < 0, place + size, place))
            valid = tirx.all(valid, place >= 0, place < size)
            target = target + place * stride
        for i in range(self.spec.axes):
            divisor, extent, move = axes[3 * i : 3 * i + 3]
            target = target + tirx.truncmod(tirx.truncdiv(row, divisor), extent) * move
        return tirx.Select(valid, target, tirx.const(-1, "int32"))


def stand_in(call: Call) -> GpuAppend:
    """Threads of a work-group share the words of a row."""
    words = call.integers[0] // cache_words.IN_WORD[call.spec.dtype]
    wanted = call.integers[0] if call.spec.dtype == "int8" else words
    return GpuAppend(call.spec, call.integers, call.tasks, call.threads(wanted))
