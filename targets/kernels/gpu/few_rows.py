"""Products of up to four rows: every weight is read once, by threads with neighbouring columns.

A thread has one column, or `QUAD` neighbouring ones where the layout allows, whose words it reads
as one of 16 bytes: neighbouring threads read a contiguous line. `share` threads have the same
columns and share their depth; their sums meet in local memory, row by row, and each of them
finishes other results. So a row that meets a matrix alone still occupies every thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.product import Cut, Store
from edgemoe.targets.kernels.gpu.weights import QUAD, Layout
from edgemoe.targets.kernels.vector_math import register

FEW = 4
"""Rows of a work-group at most."""

LINE = 16
"""Words that are read at once at least: 64 bytes, a line of the caches of GPUs."""

UNROLLED = 32
"""Products of a word of weights up to which a thread's text has them one by one, not in a loop."""

_ZERO = tirx.const(0.0, "float32")


def cut_for(device: Graphics, layout: Layout, ports: int, rows: float, sets: int = 1) -> Cut:
    """The cut for up to `FEW` rows; `sets` of columns are computed at the same time."""
    each = layout.columns // ports
    wide = QUAD if layout.has_quads(ports) else 1
    columns = wide
    while columns < min(device.columns, device.threads * wide, each):
        columns *= 2
    # Shorter lines rather than idle processors.
    while columns > max(LINE, wide) and -(-each // columns) * sets < device.busy_groups:
        columns //= 2
    height = 1
    while height < min(rows, FEW):
        height *= 2
    across = columns // wide
    share = device.threads // across
    while share > 1 and share > layout.blocks:
        share //= 2
    return Cut(height, columns, across * share, share, wide=wide)


def emit(
    at: grid.Grid, cut: Cut, layout: Layout, ports: int, words: tirx.Var, base: Expr,
    a: tirx.Var, starts: Sequence[Expr], first: Expr, valid: Expr, store: Store,
) -> None:  # fmt: skip
    """Emit rows times columns `first`.. of all ports.

    Args:
        at: the thread.
        cut: rows and columns of a work-group, and the threads that share a column.
        layout: of the matrix.
        ports: matrices that lie side by side.
        words: the weights, as `layout.element_of(cut.wide)`.
        base: where the matrix begins, in words.
        a: the rows.
        starts: where each row begins in `a`.
        first: the first column.
        valid: whether there is anything to compute at all.
        store: what to do with the results.
    """
    _Emitter(at, cut, layout, ports, words, base, a, starts, first, valid).emit(store)


class _Emitter:
    """Sums of a thread are numbered [row][column of the thread][port]."""

    def __init__(
        self, at: grid.Grid, cut: Cut, layout: Layout, ports: int, words: tirx.Var, base: Expr,
        a: tirx.Var, starts: Sequence[Expr], first: Expr, valid: Expr,
    ) -> None:  # fmt: skip
        self.at, self.cut, self.layout, self.ports = at, cut, layout, ports
        self.words, self.base, self.a, self.starts = words, base, a, starts
        self.wide, self.across = cut.wide, cut.columns // cut.wide
        self.first, self.each = first, layout.columns // ports
        self.lane = register(tirx.truncmod(at.thread, self.across))
        self.part = register(tirx.truncdiv(at.thread, self.across))
        self.column = register(first + self.lane * cut.wide)
        self.valid, self.inside = valid, tirx.all(valid, self.column < self.each)
        self.count = len(starts) * cut.wide * ports
        self.sums = grid.registers(self.count)

    def emit(self, store: Store) -> None:
        for i in range(self.count):
            T.buffer_store(self.sums, _ZERO, [i])
        with grid.when(self.inside):
            self._add_all()
        self._finish(store)

    # ---- sums ----

    def _add_all(self) -> None:
        """The share of the depth that this thread has: units, which are blocks of one group."""
        layout, share = self.layout, self.cut.share
        parts = 1  # of a group
        while layout.groups * parts < share and layout.group_blocks % (2 * parts) == 0:
            parts *= 2
        grouped = bool(layout.given.group)
        length = layout.group_blocks // parts if grouped else 1
        units = layout.blocks // length
        with T.serial(0, -(-units // share)) as turn:
            unit = register(turn * share + self.part)

            def one() -> None:
                if grouped:
                    self._add_unit(tirx.truncdiv(unit, parts), unit * length, length)
                    return
                zero = tirx.const(layout.given.zero if layout.given.is_integer else 0)
                for port in range(self.ports):
                    self._add_block(self.sums, unit, port, [zero] * self.wide)

            if units % share:
                with grid.when(unit < units):
                    one()
            else:
                one()

    def _add_unit(self, group: Expr, start: Expr, length: int) -> None:
        """Blocks that share a scale, which multiplies their sum."""
        within = grid.registers(self.count)
        for i in range(self.count):
            T.buffer_store(within, _ZERO, [i])
        factors: dict[tuple[int, int], Expr] = {}
        for port in range(self.ports):
            zeros = []
            for j, (scale, zero) in enumerate(self._scales(group, port)):
                factors[j, port] = register(scale)
                zeros.append(register(zero))
            with T.serial(0, length) as b:
                self._add_block(within, start + b, port, zeros)
        for row in range(len(self.starts)):
            for (j, port), scale in factors.items():
                cell = self._cell(row, j, port)
                T.buffer_store(self.sums, self.sums[cell] + within[cell] * scale, [cell])

    def _add_block(self, target: tirx.Var, block: Expr, port: int, zeros: Sequence[Expr]) -> None:
        """Products of the inputs of a block with every row."""
        layout, limit = self.layout, self.layout.depth - 1
        taken = layout.taken(
            self.words, self.base, block, self.column + port * self.each, self.wide
        )

        def add(i: Expr | int) -> None:
            k = block * layout.block_inputs + i
            if layout.blocks * layout.block_inputs != layout.depth:
                k = tirx.min(k, limit)
            k = register(k)
            rows = [register(self.a[start + k]) for start in self.starts]
            for j in range(self.wide):
                value = register(layout.value(taken[j], i, zeros[j]))
                for row, left in enumerate(rows):
                    cell = self._cell(row, j, port)
                    T.buffer_store(target, target[cell] + value * left, [cell])

        many = layout.block_inputs * self.wide * len(self.starts) > UNROLLED
        if many and layout.value_of_any:
            with T.serial(0, layout.block_inputs) as i:
                add(i)
        else:
            for i in range(layout.block_inputs):
                add(i)

    def _cell(self, row: int, j: int, port: int) -> int:
        return (row * self.wide + j) * self.ports + port

    def _scales(self, group: Expr, port: int) -> list[tuple[Expr, Expr]]:
        column = self.column + port * self.each
        return self.layout.scales(self.words, self.base, group, column, self.wide)

    # ---- results ----

    def _finish(self, store: Store) -> None:
        """Add up what the threads of a column have; result r of them is finished by part r."""
        ports, share, threads = self.ports, self.cut.share, self.cut.threads
        results = len(self.starts) * self.wide
        turns = -(-results // share)
        shared = grid.shared(threads * ports)
        kept = grid.registers(turns * ports)
        factors = self.layout.given.is_integer and not self.layout.given.group
        for result in range(results):
            row, j = divmod(result, self.wide)
            if result:
                grid.barrier()  # nobody reads the last one any more
            for port in range(ports):
                value = self.sums[self._cell(row, j, port)]
                T.buffer_store(shared, value, [port * threads + self.at.thread])
            grid.barrier()
            with grid.when(tirx.all(self.inside, tirx.EQ(self.part, result % share))):
                for port in range(ports):
                    total = grid.registers(1)
                    T.buffer_store(total, shared[port * threads + self.lane], [0])
                    if share > 1:
                        with T.serial(1, share) as other:
                            more = shared[other * self.across + (port * threads + self.lane)]
                            T.buffer_store(total, total[0] + more, [0])
                    value = total[0]
                    if factors:
                        value = value * self._scales(tirx.const(0), port)[j][0]
                    T.buffer_store(kept, value, [result // share * ports + port])
        for turn in range(turns):
            result = register(turn * share + self.part)
            exists = self.inside
            if results % share:
                exists = tirx.all(exists, result < results)
            with grid.when(exists):
                row = register(tirx.truncdiv(result, self.wide))
                column = register(self.column + tirx.truncmod(result, self.wide))
                store(row, column, [kept[turn * ports + port] for port in range(ports)])
