"""The two ways in which GPUs multiply: few rows with all columns at hand, and tiles of both.

`few_rows` reads every weight once for up to four rows: threads of a work-group have neighbouring
columns, and share the depth of them. `tile` computes a block of rows and columns from copies in
local memory; every thread keeps a small block of sums in registers.

Both are used by linear layers and by experts: what differs is where a row comes from, where it
goes, and which matrix is read. Barriers stand where all threads of a work-group come by, whatever
the data: WebGPU demands it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.errors import TargetError
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.kernels.vector_math import register

FEW = 4
"""Rows that `few_rows` takes at most."""

_ZERO = tirx.const(0.0, "float32")

Store = Callable[[Expr, Expr, Sequence[Expr]], None]
"""store(row, column, value of every port) writes one result."""


@dataclass(frozen=True)
class Cut:
    """How a product is cut: `rows` and `columns` of a work-group, its threads, its steps.

    `share` threads have the same column and share its depth (few rows); `depth` inputs lie in local
    memory at a time (tiles, where `share` is 0). Of the rows of sums that a thread has, `together`
    are written by one loop.
    """

    rows: int
    columns: int
    threads: int
    share: int = 0
    depth: int = 0
    together: int = 1

    @property
    def is_tile(self) -> bool:
        """Tell whether rows and columns are copied to local memory."""
        return self.share == 0


def cut_for(device: Graphics, layout: Layout, ports: int, rows: float) -> Cut:
    """The cut for `rows` rows that meet the same weights, on average."""
    threads, each = device.threads, layout.columns // ports
    if rows <= FEW:
        columns = 1
        while columns < min(device.columns, threads, each):
            columns *= 2
        height = 1
        while height < min(rows, FEW):
            height *= 2
        share = threads // columns
        while share > 1 and share > layout.blocks:
            share //= 2
        return Cut(height, columns, columns * share, share)
    return tile_for(device, layout.block_inputs, ports, rows)


def tile_for(device: Graphics, block: int, ports: int, rows: float) -> Cut:
    """The tile for `rows` rows; `block` inputs are unpacked at a time."""
    threads, across = device.threads, min(8, device.threads)
    while True:
        down, columns, tall = threads // across, 4 * across, 1
        while tall < 4 and down * tall < rows:
            tall *= 2
        for depth in (max(n, block) for n in (device.depth, 32, 16, 8)):
            # Sums go through the place of the columns, see `tile`. It is no larger for them: WebGPU
            # clears local memory, and drivers take long to compile that.
            together = min(tall, depth * columns // (threads * 4))
            held = 4 * depth * (down * tall + columns * ports)
            if together and held <= device.local_bytes:
                return Cut(down * tall, columns, threads, 0, depth, together)
        if across == 1:
            raise TargetError(
                f"{device.local_bytes:,} bytes of local memory are too little for a tile of "
                f"{threads} threads\n  next: fewer threads in the table [gpu] of the target file"
            )
        across //= 2


def few_rows(
    at: grid.Grid, cut: Cut, layout: Layout, ports: int, words: tirx.Var, base: Expr,
    a: tirx.Var, starts: Sequence[Expr], first: Expr, valid: Expr, store: Store,
) -> None:  # fmt: skip
    """Emit rows times columns `first`.. of all ports.

    Args:
        at: the thread.
        cut: rows and columns of a work-group, and the threads that share a column.
        layout: of the matrix.
        ports: matrices that lie side by side.
        words: the weights.
        base: where the matrix begins.
        a: the rows.
        starts: where each row begins in `a`.
        first: the first column.
        valid: whether there is anything to compute at all.
        store: what to do with the results.
    """
    each = layout.columns // ports
    column = register(first + tirx.truncmod(at.thread, cut.columns))
    part = register(tirx.truncdiv(at.thread, cut.columns))
    count = len(starts) * ports
    sums = grid.registers(count)
    for i in range(count):
        T.buffer_store(sums, _ZERO, [i])
    grouped = bool(layout.given.group)
    units = layout.groups if grouped else layout.blocks
    limit = layout.depth - 1
    inside = tirx.all(valid, column < each)

    def add(target: tirx.Var, block: Expr, port: int, zero: Expr) -> None:
        values = layout.values(words, base, block, column + port * each, zero)
        for i, value in enumerate(values):
            kept = register(value)
            k = block * layout.block_inputs + i
            if layout.blocks * layout.block_inputs != layout.depth:
                k = tirx.min(k, limit)
            for row, start in enumerate(starts):
                cell = row * ports + port
                T.buffer_store(target, target[cell] + kept * a[start + k], [cell])

    with grid.when(inside), T.serial(0, -(-units // cut.share)) as turn:
        unit = register(turn * cut.share + part)

        def one() -> None:
            if not grouped:
                for port in range(ports):
                    zero = tirx.const(layout.given.zero if layout.given.is_integer else 0)
                    add(sums, unit, port, zero)
                return
            within = grid.registers(count)
            for i in range(count):
                T.buffer_store(within, _ZERO, [i])
            scales = []
            for port in range(ports):
                scale, zero = layout.scale(words, base, unit, column + port * each)
                scales.append(register(scale))
                zero = register(zero)
                with T.serial(0, layout.group_blocks) as b:
                    add(within, unit * layout.group_blocks + b, port, zero)
            for i in range(count):
                scale = scales[i % ports]
                T.buffer_store(sums, sums[i] + within[i] * scale, [i])

        if units % cut.share:
            with grid.when(unit < units):
                one()
        else:
            one()
    # Results go through local memory: there a loop may number them, so that the epilogue is there
    # once in the text and not once per row, which drivers take long to compile.
    shared = grid.shared(cut.threads * count)
    for i in range(count):
        T.buffer_store(shared, sums[i], [i * cut.threads + at.thread])
    grid.barrier()
    with grid.when(tirx.all(inside, tirx.EQ(part, 0))):
        factors: list[Expr] = []
        if layout.given.is_integer and not grouped:
            for port in range(ports):
                scale, _ = layout.scale(words, base, tirx.const(0), column + port * each)
                factors.append(register(scale))
        with T.serial(0, len(starts)) as row:
            values = []
            for port in range(ports):
                place = register((row * ports + port) * cut.threads + at.thread)
                value = shared[place]
                for other in range(1, cut.share):
                    value = value + shared[place + other * cut.columns]
                values.append(value * factors[port] if factors else value)
            store(row, column, [register(v) for v in values])


def tile(
    at: grid.Grid, cut: Cut, depth: int, columns: int, ports: int,
    left: Callable[[Expr, Expr], Expr], fill: Callable[[tirx.Var, Expr], None], first: Expr,
    valid: Expr, store: Store,
) -> None:  # fmt: skip
    """Emit a block of results, `cut.rows` rows by `cut.columns` columns from `first` on.

    Args:
        at: the thread.
        cut: rows, columns and depth of the block in local memory.
        depth: inputs of a row.
        columns: results of a row, of one port.
        ports: matrices that lie side by side.
        left: left(row, k) is an input of a row of the block, zero where there is none.
        fill: fill(shared, k) writes inputs k to k + cut.depth of the columns to local memory, as
            [input][port][column].
        first: the first column.
        valid: whether there is anything to compute at all.
        store: what to do with the results; it must check whether the row exists.
    """
    across = cut.columns // 4
    down = cut.threads // across
    tall = cut.rows // down
    cells, together = 4 * ports, cut.together
    rows = grid.shared(cut.depth * cut.rows)
    right = grid.shared(cut.depth * cut.columns * ports)
    x = register(tirx.truncmod(at.thread, across))
    y = register(tirx.truncdiv(at.thread, across))
    sums = grid.registers(tall * 4 * ports)
    for i in range(tall * 4 * ports):
        T.buffer_store(sums, _ZERO, [i])
    with T.serial(0, -(-depth // cut.depth)) as step:
        start = register(step * cut.depth)
        with grid.when(valid):

            def copy(i: Expr) -> None:
                row, k = tirx.truncdiv(i, cut.depth), tirx.truncmod(i, cut.depth)
                T.buffer_store(rows, left(row, start + k), [k * cut.rows + row])

            grid.strided(at.thread, cut.rows * cut.depth, cut.threads, copy)
            fill(right, start)
        grid.barrier()
        with grid.when(valid), T.serial(0, cut.depth) as k:
            above = [register(rows[k * cut.rows + y + i * down]) for i in range(tall)]
            for port in range(ports):
                for j in range(4):
                    place = k * (cut.columns * ports) + port * cut.columns + x + j * across
                    value = register(right[place])
                    for i in range(tall):
                        cell = (i * 4 + j) * ports + port
                        T.buffer_store(sums, sums[cell] + above[i] * value, [cell])
        grid.barrier()
    # Through local memory, as in `few_rows`; every thread reads what it wrote itself.
    for begun in range(0, tall, together):
        mine = register(at.thread * (together * cells))
        for i in range(together * cells):
            T.buffer_store(right, sums[begun * cells + i], [mine + i])
        with T.serial(0, together * 4) as number:
            row = register(y + (begun + tirx.truncdiv(number, 4)) * down)
            column = register(first + x + tirx.truncmod(number, 4) * across)
            with grid.when(tirx.all(valid, column < columns)):
                place = register(mine + number * ports)
                store(row, column, [register(right[place + port]) for port in range(ports)])


def fill_weights(
    at: grid.Grid, cut: Cut, layout: Layout, ports: int, words: tirx.Var, base: Expr, first: Expr
) -> Callable[[tirx.Var, Expr], None]:
    """The `fill` of `tile` for weights: blocks of words, widened and scaled."""
    each, blocks = layout.columns // ports, cut.depth // layout.block_inputs
    line = cut.columns * ports

    def fill(right: tirx.Var, start: Expr) -> None:
        def unpack(i: Expr) -> None:
            place = register(tirx.truncmod(i, line))
            port = tirx.truncdiv(place, cut.columns)
            inside = register(tirx.truncmod(place, cut.columns) + first)
            inner = register(tirx.truncdiv(i, line))
            block = register(tirx.truncdiv(start, layout.block_inputs) + inner)
            exists = tirx.all(inside < each, block < layout.blocks)
            target = register(inner * (layout.block_inputs * line) + place)
            with T.If(exists):
                with T.Then():
                    column = register(port * each + inside)
                    zero: Expr = tirx.const(0, "int32")
                    scale: Expr | None = None
                    if layout.given.is_integer:
                        group = tirx.truncdiv(block, layout.group_blocks)
                        scale, zero = layout.scale(words, base, group, column)
                        scale, zero = register(scale), register(zero)
                    values = layout.values(words, base, block, column, zero)
                    for n, value in enumerate(values):
                        value = value if scale is None else value * scale
                        T.buffer_store(right, value, [target + n * line])
                with T.Else():
                    for n in range(layout.block_inputs):
                        T.buffer_store(right, _ZERO, [target + n * line])

        grid.strided(at.thread, blocks * line, cut.threads, unpack)

    return fill
