"""`gather_rows` and `scatter_rows`: whole rows of a table by row numbers, as `kernels/rows`."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.rows import Rows
from edgemoe.targets.kernels.vector_math import register

STANDS_FOR = (Rows,)


@dataclass(frozen=True)
class Gather:
    """One thread per word of a row, and per row where rows are read.

    Rows are written in their order by the same thread, so that the last one wins.
    """

    scatter: bool
    count: int  # of row numbers
    width: int  # words of a row
    rows: int  # of the table
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (table, numbers, rows)."""
        return ("int32_t*", "int32_t*", "int32_t*")

    @property
    def _work(self) -> int:
        return self.width * (1 if self.scatter else self.count)

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return -(-self._work // self.threads)

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        names = {"table": "int32", "numbers": "int32", "rows": "int32"}

        def body(at: grid.Grid) -> None:
            table, numbers, rows = (at.buffers[name] for name in names)
            i = register(at.group * self.threads + at.thread)
            with grid.when(i < self._work):
                if not self.scatter:
                    number = self._number(numbers[tirx.truncdiv(i, self.width)])
                    inside = tirx.max(0, tirx.min(number, self.rows - 1))
                    value = table[inside * self.width + tirx.truncmod(i, self.width)]
                    T.buffer_store(rows, value, [i])
                    return
                with T.serial(0, self.count) as n:
                    number = self._number(numbers[n])
                    with grid.when(tirx.all(number >= 0, number < self.rows)):
                        T.buffer_store(table, rows[n * self.width + i], [number * self.width + i])

        return grid.kernel(names, self.groups, self.threads, body)

    def _number(self, given: Expr) -> Expr:
        """A negative number counts from the end."""
        given = register(given)
        return register(tirx.Select(given < 0, given + self.rows, given))


def stand_in(call: Call) -> Gather:
    """The same movement in words."""
    spec, rows = call.spec, call.integers[1]
    count = call.integers[2] if spec.scatter else call.tasks
    width = call.words[0] // rows
    return Gather(
        spec.scatter, count, width, rows, call.threads(width * (1 if spec.scatter else count))
    )
