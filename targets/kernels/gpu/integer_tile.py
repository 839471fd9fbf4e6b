"""Tiles of rows and columns with products of int8, four at a time, and sums of int32.

A word of four codes of a row meets a word of four codes of a column: WGSL has `dot4I8Packed`
(language feature packed_4x8_integer_dot_product), OpenCL C `dot_4x8packed_ss_int`
(cl_khr_integer_dot_product); where an OpenCL compiler has not, the source says the same in plain C.
Weights are codes minus their zero point: of 8 bits a change of sign, of 4 bits two words by masks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.errors import TargetError
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid, product
from edgemoe.targets.kernels.gpu.few_rows import FEW
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.kernels.vector_math import register

DOT = "em_dot_4x8"
"""What kernels call; `gpu/codegen` gives it its name in each language."""

WORDS = 8
"""Words of a row in local memory at a time: 32 inputs, no more than share a scale."""

_NO_INT = tirx.const(0, "int32")


def why_floats(device: Graphics, layout: Layout, cut: product.Cut) -> str:
    """Why a product of int8 activations multiplies floats; "" where it multiplies integers."""
    given = layout.given
    if not device.integer_dot:
        return "the target has no integer_dot"
    if not cut.is_tile:
        return f"at most {FEW} rows: weights are read once, and rows are no bytes to save"
    if given.bits not in (8, 4):
        return f"codes of {given.bits} bits"
    if given.bits == 8 and given.zero_points:
        return "zero points of 8 bits: a code less its zero point has 9"
    return ""


def cut_of(device: Graphics, ports: int, rows: float) -> product.Cut:
    """The tile for `rows` rows: as for floats, with words in the place of inputs.

    Raises:
        TargetError: the device has too little local memory.
    """
    across = min(8, device.threads)
    down, tall = device.threads // across, 4
    while tall > 1 and down * tall // 2 >= rows:
        tall //= 2
    while True:
        cut = product.Cut(down * tall, 4 * across, device.threads, 0, WORDS, 1)
        held = WORDS * product.padded_rows(cut.rows, WORDS) + _right_words(cut, ports) + cut.rows
        if 4 * held <= device.local_bytes:
            return cut
        if tall == 1:
            raise TargetError(
                f"{device.local_bytes:,} bytes of local memory are too little for a tile of "
                f"{device.threads} threads\n  next: fewer threads in the table [gpu] of the target "
                "file"
            )
        tall //= 2


def _right_words(cut: product.Cut, ports: int) -> int:
    """Words of the columns in local memory, through which results go as well."""
    return max(WORDS * cut.columns * ports, cut.threads * 4 * ports * cut.together)


def dot(a: Expr, b: Expr) -> Expr:
    """The sum of four products of int8, of two words."""
    return tirx.call_pure_extern("int32", DOT, a, b)


def fill_codes(
    at: grid.Grid, cut: product.Cut, layout: Layout, ports: int, words: tirx.Var, base: Expr,
    first: Expr,
) -> Callable[[tirx.Var, Expr], None]:  # fmt: skip
    """The `fill` of `tile`: words [word][port][column] of signed codes."""
    each, line = layout.columns // ports, cut.columns * ports
    together = layout.block_inputs // 4

    def fill(right: tirx.Var, start: Expr) -> None:
        def unpack(i: Expr) -> None:
            place = register(tirx.truncmod(i, line))
            port = tirx.truncdiv(place, cut.columns)
            inside = register(tirx.truncmod(place, cut.columns) + first)
            inner = register(tirx.truncdiv(i, line))
            block = register(tirx.truncdiv(start, together) + inner)
            target = register(inner * (together * line) + place)
            with T.If(tirx.all(inside < each, block < layout.blocks)):
                with T.Then():
                    column = register(port * each + inside)
                    codes = _signed(layout, words, base, block, column)
                    for n, code in enumerate(codes):
                        T.buffer_store(right, code, [target + n * line])
                with T.Else():
                    for n in range(together):
                        T.buffer_store(right, _u(0), [target + n * line])

        grid.strided(at.thread, WORDS // together * line, cut.threads, unpack)

    return fill


def _signed(layout: Layout, words: tirx.Var, base: Expr, block: Expr, column: Expr) -> list[Expr]:
    """Codes minus their zero point, as words of four int8."""
    word = register(words[base + block * layout.columns + column])
    if layout.given.bits == 8:
        return [tirx.bitwise_xor(word, _u(0x80808080))]
    zero: Expr = _u(layout.given.zero * 0x01010101)
    if layout.given.zero_points:
        group = tirx.truncdiv(block, layout.group_blocks)
        _, point = layout.scale(words, base, group, column)
        zero = register(tirx.Cast("uint32", point) * _u(0x01010101))
    parts = [word & _u(0x0F0F0F0F), tirx.shift_right(word, _u(4)) & _u(0x0F0F0F0F)]
    # The highest bit of every byte is set while bytes are subtracted: none borrows from the next.
    return [
        tirx.bitwise_xor(tirx.bitwise_or(part, _u(0x80808080)) - zero, _u(0x80808080))
        for part in parts
    ]


def tile(
    at: grid.Grid, cut: product.Cut, layout: Layout, ports: int,
    left: Callable[[Expr, Expr], Expr], row_scale: Callable[[Expr, Expr], Expr],
    words: tirx.Var, base: Expr, first: Expr, valid: Expr, store: product.Store,
) -> None:  # fmt: skip
    """Emit a block of results, `cut.rows` rows by `cut.columns` columns from `first` on.

    Args:
        at: the thread.
        cut: rows and columns of the block, `WORDS` deep.
        layout: of the matrix.
        ports: matrices that lie side by side.
        left: left(row, word) is a word of a row of the block, zero where there is none.
        row_scale: row_scale(row, group) is the scale of a row of the block, anything where none is.
        words: the weights.
        base: where the matrix begins.
        first: the first column.
        valid: whether there is anything to compute at all.
        store: what to do with the results; it must check whether the row exists.
    """
    columns = layout.columns // ports
    mine = product.Mine.of(at, cut, ports)
    tall, count = mine.tall, mine.count
    pitch = product.padded_rows(cut.rows, WORDS)
    rows = grid.shared(WORDS * pitch, "uint32")
    right = grid.shared(_right_words(cut, ports), "uint32")
    sums, floats = grid.registers(count, "int32"), grid.registers(count)
    for i in range(count):
        T.buffer_store(sums, _NO_INT, [i])
        T.buffer_store(floats, tirx.const(0.0, "float32"), [i])
    fill = fill_codes(at, cut, layout, ports, words, base, first)
    depth = layout.blocks * layout.block_inputs // 4
    grouped = layout.groups > 1

    def scaled(group: Expr) -> None:
        """Move the sums of a group to the floats."""
        heights = [register(row_scale(mine.row(i), group)) for i in range(tall)]
        for port in range(ports):
            for j in range(product.ACROSS):
                column = tirx.min(first + mine.column(j), columns - 1) + port * columns
                scale = register(layout.scale(words, base, group, column)[0])
                for i in range(tall):
                    cell = mine.cell(i, j, port)
                    more = tirx.Cast("float32", sums[cell]) * (scale * heights[i])
                    T.buffer_store(floats, floats[cell] + more, [cell])
                    T.buffer_store(sums, _NO_INT, [cell])

    with T.serial(0, -(-depth // WORDS)) as step:
        start = register(step * WORDS)
        with grid.when(valid):

            def copy(i: Expr) -> None:
                row, word = tirx.truncdiv(i, WORDS), tirx.truncmod(i, WORDS)
                T.buffer_store(rows, left(row, start + word), [word * pitch + row])

            grid.strided(at.thread, cut.rows * WORDS, cut.threads, copy)
            fill(right, start)
        grid.barrier()
        with grid.when(valid):
            with T.serial(0, WORDS) as k:
                above = [register(rows[k * pitch + mine.row(i)]) for i in range(tall)]
                for port in range(ports):
                    for j in range(product.ACROSS):
                        place = k * (cut.columns * ports) + port * cut.columns + mine.column(j)
                        value = register(right[place])
                        for i in range(tall):
                            cell = mine.cell(i, j, port)
                            more = dot(above[i], value)
                            T.buffer_store(sums, sums[cell] + more, [cell])
            if grouped:
                last = tirx.EQ(tirx.truncmod(start + WORDS, layout.given.group // 4), 0)
                with grid.when(last):
                    scaled(register(tirx.truncdiv(start * 4, layout.given.group)))
        grid.barrier()
    if not grouped:
        with grid.when(valid):
            scaled(_NO_INT)

    def bits(cell: int) -> Expr:
        return tirx.reinterpret("uint32", register(floats[cell]))

    def store_floats(row: Expr, column: Expr, values: Sequence[Expr]) -> None:
        store(row, column, [register(tirx.reinterpret("float32", value)) for value in values])

    product.hand_out(at, cut, mine, right, bits, columns, first, valid, store_floats)


def _u(value: int) -> Expr:
    return tirx.const(value, "uint32")
