"""Tiles of rows and columns with products of int8, four at a time, and sums of int32.

A word of four codes of a row meets a word of four codes of a column: WGSL has `dot4I8Packed`
(language feature packed_4x8_integer_dot_product), OpenCL C `dot_4x8packed_ss_int`
(cl_khr_integer_dot_product); where an OpenCL compiler has not, the source says the same in plain C.
Weights are codes minus their zero point, four bytes in a word: of 8 bits a change of sign, of 4 and
2 bits two and four words by masks, of 3 bits eight words from three. Zero points of 8 bits would
need a ninth: there the sum of a row's codes, which is one more product, is multiplied by what is
left of them.
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


def why_floats(device: Graphics, cut: product.Cut) -> str:
    """Why a product of int8 activations multiplies floats; "" where it multiplies integers."""
    if not device.integer_dot:
        return "the target has no integer_dot"
    if not cut.is_tile:
        return f"at most {FEW} rows: weights are read once, and rows are no bytes to save"
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
    """Codes minus their zero point, as words of four int8; those of 8 bits minus 128."""
    first = base + block * (layout.block_words * layout.columns) + column
    taken = [register(words[first + i * layout.columns]) for i in range(layout.block_words)]
    if layout.given.bits == 8:
        return [tirx.bitwise_xor(taken[0], _u(0x80808080))]
    zero: Expr = _u(layout.given.zero * 0x01010101)
    if layout.given.zero_points:
        group = tirx.truncdiv(block, layout.group_blocks)
        _, point = layout.scale(words, base, group, column)
        zero = register(tirx.Cast("uint32", point) * _u(0x01010101))
    # The highest bit of every byte is set while bytes are subtracted: none borrows from the next.
    return [
        tirx.bitwise_xor(tirx.bitwise_or(part, _u(0x80808080)) - zero, _u(0x80808080))
        for part in _bytes(layout, taken)
    ]


def _bytes(layout: Layout, taken: Sequence[Expr]) -> list[Expr]:
    """Codes of a block, one per byte; which ones are in a word says `quantise_rows`."""
    bits = layout.given.bits
    if bits != 3:
        mask = _u(((1 << bits) - 1) * 0x01010101)
        parts = [
            tirx.shift_right(taken[0], _u(shift)) if shift else taken[0]
            for shift in range(0, 8, bits)
        ]
        return [part & mask for part in parts]
    found = []
    for number in range(8):
        at, shift = divmod(12 * number, 32)
        four = tirx.shift_right(taken[at], _u(shift)) if shift else taken[at]
        if shift + 12 > 32:
            four = tirx.bitwise_or(four, tirx.shift_left(taken[at + 1], _u(32 - shift)))
        four = register(four)
        word = four & _u(7)
        for i in range(1, 4):
            code = tirx.shift_left(four & _u(7 << 3 * i), _u(5 * i))
            word = tirx.bitwise_or(word, code)
        found.append(register(word))
    return found


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
    points = layout.given.bits == 8 and layout.given.zero_points
    codes = grid.registers(tall, "int32")  # of the rows, summed up
    for i in range(tall if points else 0):
        T.buffer_store(codes, _NO_INT, [i])

    def scaled(group: Expr) -> None:
        """Move the sums of a group to the floats."""
        heights = [register(row_scale(mine.row(i), group)) for i in range(tall)]
        for port in range(ports):
            for j in range(product.ACROSS):
                column = tirx.min(first + mine.column(j), columns - 1) + port * columns
                scale, point = (register(v) for v in layout.scale(words, base, group, column))
                for i in range(tall):
                    cell = mine.cell(i, j, port)
                    total = sums[cell]
                    if points:
                        total = total + codes[i] * (tirx.const(128, "int32") - point)
                    more = tirx.Cast("float32", total) * (scale * heights[i])
                    T.buffer_store(floats, floats[cell] + more, [cell])
                    T.buffer_store(sums, _NO_INT, [cell])
        for i in range(tall if points else 0):
            T.buffer_store(codes, _NO_INT, [i])

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
                for i in range(tall if points else 0):
                    T.buffer_store(codes, codes[i] + dot(above[i], _u(0x01010101)), [i])
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
