"""The tile of rows and columns with which GPUs multiply many rows, and how products are cut.

`tile` computes a block of rows and columns from copies in local memory; every thread keeps a small
block of sums in registers. Up to four rows have a kernel of their own (`few_rows`).

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

ACROSS = 4
"""Columns of a thread of a tile."""

_ZERO = tirx.const(0.0, "float32")

Store = Callable[[Expr, Expr, Sequence[Expr]], None]
"""store(row, column, value of every port) writes one result."""

Scale = Callable[[Expr], Expr]
"""scale(place in the tile)"""

Fill = Callable[[tirx.Var, Expr], None]
"""fill(shared, k) writes inputs k to k + depth of a tile to local memory."""


@dataclass(frozen=True)
class Cut:
    """How a product is cut: `rows` and `columns` of a work-group, its threads, its steps.

    `share` threads have the same column and share its depth (few rows), of which a thread has
    `wide` neighbouring ones; `depth` inputs lie in local memory at a time (tiles, where `share` is
    0). Of the rows of sums that a thread has, `together` are written by one loop.
    """

    rows: int
    columns: int
    threads: int
    share: int = 0
    depth: int = 0
    together: int = 1
    wide: int = 1

    @property
    def is_tile(self) -> bool:
        """Tell whether rows and columns are copied to local memory."""
        return self.share == 0


def tile_for(device: Graphics, block: int, ports: int, rows: float) -> Cut:
    """The tile for `rows` rows; `block` inputs are unpacked at a time."""
    threads, across = device.threads, min(8, device.threads)
    most = max(4, device.sums // (ACROSS * ports))
    while True:
        down, columns, tall = threads // across, ACROSS * across, 1
        while tall < most and down * tall < rows:
            tall *= 2
        for depth in (max(n, block) for n in (device.depth, 32, 16, 8)):
            # Sums go through the place of the columns, see `hand_out`. It is no larger for them:
            # WebGPU clears local memory, and drivers take long to compile that.
            together = min(tall, depth * columns // (threads * ACROSS))
            held = 4 * depth * (padded_rows(down * tall, depth) + columns * ports)
            if together and held <= device.local_bytes:
                return Cut(down * tall, columns, threads, 0, depth, together)
        if across == 1:
            raise TargetError(
                f"{device.local_bytes:,} bytes of local memory are too little for a tile of "
                f"{threads} threads\n  next: fewer threads in the table [gpu] of the target file"
            )
        across //= 2


def tile(
    at: grid.Grid, cut: Cut, depth: int, columns: int, ports: int, left: Fill, right: Fill,
    first: Expr, valid: Expr, store: Store, scales: Sequence[Scale | None],
    *, scaled_rows: bool = False,
) -> None:  # fmt: skip
    """Emit a block of results, `cut.rows` rows by `cut.columns` columns from `first` on.

    Args:
        at: the thread.
        cut: rows, columns and depth of the block in local memory.
        depth: inputs of a row.
        columns: results of a row, of one port.
        ports: matrices that lie side by side.
        left: of the rows, as [input][row] with `padded_rows` words from an input to the next.
        right: of the columns, as [input][port][column].
        first: the first column.
        valid: whether there is anything to compute at all.
        store: what to do with the results; it must check whether the row exists.
        scales: per port, what multiplies the sums of a column of the tile.
        scaled_rows: of a row of the tile instead.
    """
    mine = Mine.of(at, cut, ports)
    pitch = padded_rows(cut.rows, cut.depth)
    rows = grid.shared(cut.depth * pitch)
    held = grid.shared(cut.depth * cut.columns * ports)
    sums = grid.registers(mine.count)
    for i in range(mine.count):
        T.buffer_store(sums, _ZERO, [i])
    with T.serial(0, -(-depth // cut.depth)) as step:
        start = register(step * cut.depth)
        with grid.when(valid):
            left(rows, start)
            right(held, start)
        grid.barrier()
        with grid.when(valid), T.serial(0, cut.depth) as k:
            above = [register(rows[k * pitch + mine.row(i)]) for i in range(mine.tall)]
            for port in range(ports):
                for j in range(ACROSS):
                    place = k * (cut.columns * ports) + port * cut.columns + mine.column(j)
                    value = register(held[place])
                    for i in range(mine.tall):
                        cell = mine.cell(i, j, port)
                        T.buffer_store(sums, sums[cell] + above[i] * value, [cell])
        grid.barrier()
    for port, scale in enumerate(scales):
        if scale is not None:
            with grid.when(valid):
                _multiply(sums, mine, port, scale, rows=scaled_rows)
    hand_out(at, cut, mine, held, lambda cell: sums[cell], columns, first, valid, store)


def _multiply(sums: tirx.Var, mine: Mine, port: int, scale: Scale, *, rows: bool) -> None:
    outer, inner = (mine.tall, ACROSS) if rows else (ACROSS, mine.tall)
    for one in range(outer):
        factor = register(scale(mine.row(one) if rows else mine.column(one)))
        for other in range(inner):
            cell = mine.cell(one, other, port) if rows else mine.cell(other, one, port)
            T.buffer_store(sums, sums[cell] * factor, [cell])


@dataclass(frozen=True)
class Mine:
    """The results of a thread: `ACROSS` neighbouring columns of every `down`-th row of the tile.

    So it reads its columns from local memory as one of 16 bytes, and threads side by side read
    other banks; rows are read by several of them at once.
    """

    x: Expr
    y: Expr
    down: int
    tall: int
    ports: int

    @staticmethod
    def of(at: grid.Grid, cut: Cut, ports: int) -> Mine:
        """The results of thread `at`."""
        across = cut.columns // ACROSS
        down = cut.threads // across
        x = register(tirx.truncmod(at.thread, across))
        y = register(tirx.truncdiv(at.thread, across))
        return Mine(x, y, down, cut.rows // down, ports)

    @property
    def count(self) -> int:
        """Sums of the thread."""
        return self.tall * ACROSS * self.ports

    def row(self, i: int) -> Expr:
        """Row i of the thread, in the tile."""
        return self.y + i * self.down

    def column(self, j: int) -> Expr:
        """Column j of the thread, in the tile."""
        return self.x * ACROSS + j

    def cell(self, i: int, j: int, port: int) -> int:
        """The number of a sum."""
        return (i * ACROSS + j) * self.ports + port


def padded_rows(rows: int, depth: int) -> int:
    """Words from an input to the next in local memory, where threads write `depth` inputs of a row.

    With as many words more as a warp of 32 threads writes rows, each has a bank of its own.
    """
    return rows + max(1, 32 // depth)


def hand_out(
    at: grid.Grid, cut: Cut, mine: Mine, shared: tirx.Var, result: Callable[[int], Expr],
    columns: int, first: Expr, valid: Expr, store: Store,
) -> None:  # fmt: skip
    """Emit `store` for all results of a tile: neighbouring threads get neighbouring columns.

    They go through local memory, `cut.together` rows of each thread at a time: so memory is written
    in whole lines, and a loop may number them. Drivers take long to compile the epilogue once per
    row.

    Args:
        at: the thread.
        cut: of the tile.
        mine: the results of the thread.
        shared: local memory that nobody reads any more, with threads * 4 * ports * together words.
        result: the value of a cell, in the dtype of `shared`.
        columns: results of a row, of one port.
        first: the first column.
        valid: whether there is anything to compute at all.
        store: what to do with the results; it must check whether the row exists.
    """
    ports, together = mine.ports, cut.together
    for begun in range(0, mine.tall, together):
        if begun:
            grid.barrier()
        for i in range(together):
            place = register((mine.row(i) * cut.columns + mine.column(0)) * ports)
            for j in range(ACROSS):
                for port in range(ports):
                    value = result(mine.cell(begun + i, j, port))
                    T.buffer_store(shared, value, [place + (j * ports + port)])
        grid.barrier()
        with T.serial(0, together * ACROSS) as turn:
            number = register(turn * cut.threads + at.thread)
            row = register(tirx.truncdiv(number, cut.columns) + begun * mine.down)
            column = register(first + tirx.truncmod(number, cut.columns))
            with grid.when(tirx.all(valid, column < columns)):
                values = [register(shared[number * ports + port]) for port in range(ports)]
                store(row, column, values)


def fill_rows(at: grid.Grid, cut: Cut, value: Callable[[Expr, Expr], Expr]) -> Fill:
    """The rows of a tile: value(row, k) is an input of a row of it, zero where there is none."""
    pitch = padded_rows(cut.rows, cut.depth)

    def fill(rows: tirx.Var, start: Expr) -> None:
        def copy(i: Expr) -> None:
            row, k = tirx.truncdiv(i, cut.depth), tirx.truncmod(i, cut.depth)
            T.buffer_store(rows, value(row, start + k), [k * pitch + row])

        grid.strided(at.thread, cut.rows * cut.depth, cut.threads, copy)

    return fill


def fill_weights(
    at: grid.Grid, cut: Cut, layout: Layout, ports: int, words: tirx.Var, base: Expr, first: Expr,
    *, as_rows: bool = False,
) -> Fill:  # fmt: skip
    """The columns of a tile, or its rows, that are weights: blocks of words, widened.

    Groups are scaled here; where a column has one scale, it multiplies the sums (`scale_of`).
    """
    each, blocks = layout.columns // ports, cut.depth // layout.block_inputs
    across = cut.rows if as_rows else cut.columns
    line = across * ports
    pitch = padded_rows(line, cut.depth) if as_rows else line

    def fill(right: tirx.Var, start: Expr) -> None:
        def unpack(i: Expr) -> None:
            place = register(tirx.truncmod(i, line))
            port = tirx.truncdiv(place, across)
            inside = register(tirx.truncmod(place, across) + first)
            inner = register(tirx.truncdiv(i, line))
            block = register(tirx.truncdiv(start, layout.block_inputs) + inner)
            exists = tirx.all(inside < each, block < layout.blocks)
            target = register(inner * (layout.block_inputs * pitch) + place)
            with T.If(exists):
                with T.Then():
                    column = register(port * each + inside)
                    zero: Expr = tirx.const(0, "int32")
                    scale: Expr | None = None
                    if layout.given.group:
                        group = tirx.truncdiv(block, layout.group_blocks)
                        scale, zero = layout.scale(words, base, group, column)
                        scale, zero = register(scale), register(zero)
                    elif layout.given.is_integer:
                        zero = tirx.const(layout.given.zero, "int32")
                    values = layout.values(words, base, block, column, zero)
                    for n, value in enumerate(values):
                        value = value if scale is None else value * scale
                        T.buffer_store(right, value, [target + n * pitch])
                with T.Else():
                    for n in range(layout.block_inputs):
                        T.buffer_store(right, _ZERO, [target + n * pitch])

        grid.strided(at.thread, blocks * line, cut.threads, unpack)

    return fill


def scale_of(
    layout: Layout, words: tirx.Var, base: Expr, port: int, first: Expr, columns: int
) -> Scale | None:
    """The scales of a port's columns from `first` on, where they have one; None: no scale is left.

    Columns beyond the last have its scale.
    """
    if layout.given.group or not layout.given.is_integer:
        return None

    def scale(column: Expr) -> Expr:
        inside = tirx.min(first + column, columns - 1) + port * columns
        return layout.scale(words, base, tirx.const(0), inside)[0]

    return scale
