"""A whole mixer block as one kernel: norm, product, activation, product, gate, residual.

    out = second(first(norm(x)))        first and second with their epilogues

A work-group holds some rows in local memory from the norm to the residual: of channel mixing rows
are tokens, of token mixing they are channels (the tile is transposed when it is read). What the
second product's epilogue reads beside it, such as the residual, comes from memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.linear import evaluated
from edgemoe.targets.kernels.gpu.weights import C_TYPE, ELEMENT, Layout
from edgemoe.targets.kernels.norm import Norm
from edgemoe.targets.kernels.vector_math import register

TOGETHER = 8
"""Rows that a thread multiplies with a weight that it has read."""

_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class MixerBlock:
    """`total` rows of each of `batch` matrices, `rows` of them in a work-group.

    `transposed`: rows are channels of x [batch, depth, total], as token mixing has them; otherwise
    x is [total, depth]. `roles` are (name, number of the pointer): x, scale, shift, w0, w1, out,
    and operand i of product p as `p.i`; a tensor with several roles is bound once.
    """

    norm: Norm | None
    layouts: tuple[Layout, Layout]
    epilogues: tuple[ex.Node, ex.Node]
    transposed: bool
    batch: int
    total: int
    rows: int
    roles: tuple[tuple[str, int], ...]
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the pointers, in the order of their numbers."""
        types = {number: "float*" for _, number in self.roles}
        for i in range(len(self.layouts)):
            types[dict(self.roles)[f"w{i}"]] = C_TYPE
        return tuple(types[i] for i in range(len(types)))

    @property
    def _parts(self) -> int:
        return -(-self.total // self.rows)

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.batch * self._parts

    @property
    def local_words(self) -> int:
        """Words of local memory."""
        return sum(_sizes(self)) + (0 if self.norm is None else 2 * self.threads)

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        names = dict.fromkeys((f"p{i}" for i in range(len(self.parameters))), "float32")
        for i in range(len(self.layouts)):
            names[f"p{dict(self.roles)[f'w{i}']}"] = ELEMENT
        return grid.kernel(names, self.groups, self.threads, lambda at: _Emitter(self, at).emit())


def _sizes(block: MixerBlock) -> tuple[int, int]:
    """Words of (rows as they come and as they go, rows between the products)."""
    first, second = block.layouts
    return block.rows * max(first.depth, second.columns), block.rows * first.columns


class _Emitter:
    def __init__(self, block: MixerBlock, at: grid.Grid) -> None:
        self.block, self.at, self.thread = block, at, at.thread
        self.buffers = {name: at.buffers[f"p{number}"] for name, number in block.roles}
        self.first = register(tirx.truncmod(at.group, block._parts) * block.rows)
        self.matrix = register(tirx.truncdiv(at.group, block._parts))

    def emit(self) -> None:
        """Emit the thread."""
        block = self.block
        outer, inner = (grid.shared(words) for words in _sizes(block))
        self._read(outer)
        grid.barrier()
        if block.norm is not None:
            self._normalise(outer, block.norm)
        self._product(0, outer, inner)
        grid.barrier()
        width = block.layouts[0].columns

        def bend(i: Expr) -> None:
            row, column = register(tirx.truncdiv(i, width)), register(tirx.truncmod(i, width))
            T.buffer_store(inner, self._epilogue(0, row, column, inner[i]), [i])

        grid.strided(self.thread, block.rows * width, block.threads, bend)
        grid.barrier()
        self._product(1, inner, outer)
        grid.barrier()
        self._write(outer)

    def _row(self, row: Expr) -> Expr:
        """Number of a row of the tile; the last tile's last ones may be none."""
        if self.block.total % self.block.rows == 0:
            return self.first + row
        return tirx.min(self.first + row, self.block.total - 1)

    def _place(self, row: Expr, column: Expr, columns: int) -> Expr:
        """Where an element of a tensor in memory is."""
        if self.block.transposed:
            return (self.matrix * columns + column) * self.block.total + self._row(row)
        return self._row(row) * columns + column

    def _read(self, tile: tirx.Var) -> None:
        block, depth = self.block, self.block.layouts[0].depth

        def read(i: Expr) -> None:
            if block.transposed:
                row, k = tirx.truncmod(i, block.rows), tirx.truncdiv(i, block.rows)
            else:
                row, k = tirx.truncdiv(i, depth), tirx.truncmod(i, depth)
            row, k = register(row), register(k)
            value = self.buffers["x"][self._place(row, k, depth)]
            T.buffer_store(tile, value, [row * depth + k])

        grid.strided(self.thread, block.rows * depth, block.threads, read)

    def _normalise(self, tile: tirx.Var, norm: Norm) -> None:
        """Over channels: of every row, or of every token across all rows."""
        block, depth = self.block, self.block.layouts[0].depth
        count, width = (depth, block.rows) if block.transposed else (block.rows, depth)
        across = 1
        while across * 2 <= min(block.threads, count):
            across *= 2
        lanes = block.threads // across
        partial, result = grid.shared(block.threads), grid.shared(block.threads)
        lane = register(tirx.truncmod(self.thread, lanes))

        def at(vector: Expr, j: Expr) -> Expr:
            return j * depth + vector if block.transposed else vector * depth + j

        def mean(vector: Expr, of: Callable[[Expr], Expr]) -> Expr:
            """The mean of `of(j)` over a vector, which `lanes` threads share."""
            part = grid.registers(1)
            T.buffer_store(part, _ZERO, [0])
            with T.serial(0, -(-width // lanes)) as turn:
                j = register(turn * lanes + lane)
                with grid.when(tirx.all(j < width, vector < count)):
                    T.buffer_store(part, part[0] + of(j), [0])
            T.buffer_store(partial, part[0], [self.thread])
            grid.barrier()
            total = grid.registers(1)
            T.buffer_store(total, _ZERO, [0])
            with T.serial(0, lanes) as i:
                T.buffer_store(total, total[0] + partial[self.thread - lane + i], [0])
            T.buffer_store(result, total[0] * tirx.const(1.0 / width, "float32"), [self.thread])
            grid.barrier()
            return register(result[self.thread])

        with T.serial(0, -(-count // across)) as turn:
            vector = register(turn * across + tirx.truncdiv(self.thread, lanes))
            middle: Expr = _ZERO
            if norm.kind == "layer":
                middle = mean(vector, lambda j: tile[at(vector, j)])

            def square(j: Expr, middle: Expr = middle, vector: Expr = vector) -> Expr:
                value = register(tile[at(vector, j)] - middle)
                return value * value

            squares = mean(vector, square)
            epsilon = tirx.const(norm.epsilon, "float32")
            factor = register(tirx.const(1.0, "float32") / tirx.sqrt(squares + epsilon))
            with T.serial(0, -(-width // lanes)) as other:
                j = register(other * lanes + lane)
                with grid.when(tirx.all(j < width, vector < count)):
                    value = (tile[at(vector, j)] - middle) * factor
                    if norm.scale:
                        value = value * self.buffers["scale"][j]
                    if norm.shift:
                        value = value + self.buffers["shift"][j]
                    T.buffer_store(tile, value, [at(vector, j)])
            grid.barrier()

    def _product(self, number: int, source: tirx.Var, target: tirx.Var) -> None:
        """Target [rows, columns] = source [rows, depth] times a matrix, without its epilogue."""
        block, layout = self.block, self.block.layouts[number]
        words, depth, columns = self.buffers[f"w{number}"], layout.depth, layout.columns
        together = min(TOGETHER, block.rows)
        while together > 1 and -(-block.rows // together) * columns < block.threads:
            together //= 2
        base, limit = tirx.const(0, "int32"), block.rows - 1

        def item(i: Expr) -> None:
            column = register(tirx.truncmod(i, columns))
            row = register(tirx.truncdiv(i, columns) * together)
            starts = [register(tirx.min(row + h, limit) * depth) for h in range(together)]
            sums = grid.registers(together)
            for h in range(together):
                T.buffer_store(sums, _ZERO, [h])
            with T.serial(0, layout.blocks) as b:
                scale, zero = None, tirx.const(0, "int32")
                if layout.given.is_integer:
                    group = tirx.truncdiv(b, layout.group_blocks)
                    factor, point = layout.scale(words, base, group, column)
                    scale, zero = register(factor), register(point)
                for n, value in enumerate(layout.values(words, base, b, column, zero)):
                    kept = register(value if scale is None else value * scale)
                    k = b * layout.block_inputs + n
                    if layout.blocks * layout.block_inputs != depth:
                        k = tirx.min(k, depth - 1)
                    for h, start in enumerate(starts):
                        T.buffer_store(sums, sums[h] + kept * source[start + k], [h])
            for h in range(together):
                with grid.when(row + h < block.rows):
                    T.buffer_store(target, sums[h], [(row + h) * columns + column])

        grid.strided(self.thread, -(-block.rows // together) * columns, block.threads, item)

    def _epilogue(self, number: int, row: Expr, column: Expr, value: Expr) -> Expr:
        columns = self.block.layouts[number].columns
        place, row = self._place(row, column, columns), self._row(row)
        index = {"full": place, "column": column, "row": row, "scalar": tirx.const(0, "int32")}
        if self.block.transposed:  # rows of the result are those of the weight
            index |= {"column": row, "row": column}
        operands = {
            f"operand{i}": self.buffers[f"{number}.{i}"]
            for i in ex.operands_of(self.block.epilogues[number])
        }
        at = grid.Grid(operands, self.at.group, self.thread)
        return evaluated(self.block.epilogues[number], at, index, [register(value)])

    def _write(self, tile: tirx.Var) -> None:
        block, columns = self.block, self.block.layouts[1].columns

        def write(i: Expr) -> None:
            if block.transposed:
                row, column = tirx.truncmod(i, block.rows), tirx.truncdiv(i, block.rows)
            else:
                row, column = tirx.truncdiv(i, columns), tirx.truncmod(i, columns)
            row, column = register(row), register(column)
            with grid.when(self.first + row < block.total):
                value = self._epilogue(1, row, column, tile[row * columns + column])
                T.buffer_store(self.buffers["out"], value, [self._place(row, column, columns)])

        grid.strided(self.thread, block.rows * columns, block.threads, write)
