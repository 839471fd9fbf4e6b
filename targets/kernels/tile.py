"""The register tile that every product kernel is made of: some rows times one weight panel.

Weights are packed at compile time into panels of `PANEL` output columns, `[panel][k][PANEL]`, so
that a kernel reads one contiguous stream. Sums run over k in order, in one chain per output: the
bits of a row do not depend on how many other rows or threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.fetch import Fetch
from edgemoe.targets.kernels.panels import LINE
from edgemoe.targets.kernels.panels import PANEL as PANEL
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.kernels.vector_math import broadcast, register, typed
from edgemoe.targets.kernels.vector_math import ramp as ramp
from edgemoe.targets.spec import Isa

CACHE_LINE = 64
"""Bytes."""

STORED_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of one packed weight."""

ITEMSIZE = {"float32": 4, "int32": 4, "uint16": 2}
"""Bytes of an element of packed weights, by its dtype in memory."""

STORED = {"float32": "float32", "bfloat16": "uint16", "float16": "uint16"}
"""dtype of packed floats in memory."""

SUMS = {16: 24, 8: 12, 4: 24, 1: 16}
"""Registers that hold sums, by lanes, of a tile that takes its panel in two parts."""

WIDE_SUMS = {16: 24, 8: 12, 4: 16, 1: 16}
"""And of one that takes it whole: more columns of the panel are in registers then."""

UNBOUNDED = 1 << 30
"""Extent of buffers whose size only the plan knows."""


def parameters(
    pointers: Mapping[str, str], integers: Sequence[str]
) -> tuple[dict[str, tirx.Var], list[Expr]]:
    """Declare a kernel's parameters: `dtype*` per pointer, `int32_t` per integer, then the tasks.

    Returns the pointers as flat buffers by name, and the integers with (begin, end) at the end.
    """
    handles = {name: T.arg(name, T.handle(dtype)) for name, dtype in pointers.items()}
    numbers = [T.arg(name, T.int32()) for name in (*integers, "begin", "end")]
    T.func_attr({"tirx.noalias": True})
    buffers = {
        name: T.decl_buffer((UNBOUNDED,), dtype, data=handles[name])
        for name, dtype in pointers.items()
    }
    return buffers, numbers


@dataclass(frozen=True)
class Built:
    """The functions of one kernel for one instruction set, by symbol-less name.

    `tiles` and `stores` go into object files of their own: LLVM would inline them, and keep in
    registers what the loops around a tile need, or the constants of what follows it.
    """

    main: tirx.PrimFunc
    stores: dict[str, tirx.PrimFunc] = field(default_factory=dict)
    tiles: dict[str, tirx.PrimFunc] = field(default_factory=dict)


def call(symbol: str, *arguments: Expr | int) -> None:
    """Emit a call of another generated C function."""
    T.evaluate(T.call_extern("int32", symbol, *arguments))


def local(value: Expr | int) -> Expr:
    """`value`, an int32, computed once."""
    return register(tirx.const(value, "int32") if isinstance(value, int) else value)


def tallest_tile(isa: Isa) -> int:
    """Rows of the tallest register tile of `isa`; its sums leave room for a panel row."""
    return {16: 12, 8: 6, 4: 6, 1: 1}[isa.lanes]


def tile_width(isa: Isa, rows: int, columns: int = 0) -> int:
    """Columns of a panel that a tile of `rows` rows takes at once: its sums stay in registers.

    `columns` says otherwise for tiles that cannot take all.
    """
    if rows * PANEL // isa.lanes <= WIDE_SUMS[isa.lanes]:
        return PANEL
    return columns or part_width(isa)


def part_width(isa: Isa) -> int:
    """Columns of a panel that a tile takes which cannot take all."""
    return SUMS[isa.lanes] // tallest_tile(isa) * isa.lanes


def load(buffer: tirx.Var, start: Expr, lanes: int) -> Expr:
    """`lanes` consecutive elements from `start` on."""
    return buffer[ramp(start, lanes)]


def splat(value: Expr, lanes: int) -> Expr:
    """A scalar in every lane."""
    return broadcast(value, lanes)


def store(buffer: tirx.Var, start: Expr, value: Expr, lanes: int) -> None:
    """Emit a store of `lanes` consecutive elements."""
    T.buffer_store(buffer, value, [ramp(start, lanes)])


def operand(buffer: tirx.Var, indexing: str, index: Mapping[str, Expr], lanes: int) -> Expr:
    """An operand of an epilogue at the place that `index` gives for its indexing."""
    at = index[indexing]
    one = indexing in ("row", "scalar", "token_row")
    return splat(buffer[at], lanes) if one else load(buffer, at, lanes)


def load_weights(buffer: tirx.Var, start: Expr, lanes: int, dtype: str) -> Expr:
    """`lanes` packed weights as float32; bfloat16 is widened by a shift."""
    stored = load(buffer, start, lanes)
    if dtype == "float32":
        return stored
    if dtype == "float16":
        half = tirx.reinterpret(typed("float16", lanes), stored)
        return tirx.Cast(typed("float32", lanes), half)
    raw = tirx.Cast(typed("uint32", lanes), stored)
    shifted = tirx.shift_left(raw, splat(tirx.const(16, "uint32"), lanes))
    return tirx.reinterpret(typed("float32", lanes), shifted)


def accumulate(
    isa: Isa,
    a: tirx.Var,
    row_starts: Sequence[Expr],
    depth: Expr,
    weights: tirx.Var,
    panel_start: Expr,
    weight_dtype: str,
    fetch: Fetch,
    tuning: Tuning = DEFAULT,
    columns: int = PANEL,
) -> Expr:
    """Emit sum over k of a[row_starts[i] + k] * panel[k, j], for the first `columns` columns j.

    Returns the address of float32 [rows, PANEL].
    """
    rows, lanes = len(row_starts), isa.lanes
    values = T.alloc_buffer((rows * PANEL,), "float32")
    width = min(tile_width(isa, rows, tuning.columns), columns)
    vectors = width // lanes
    zero = broadcast(tirx.const(0.0, "float32"), lanes)
    for first in range(0, columns, width):
        acc = T.alloc_buffer((rows * width,), "float32")
        for i in range(rows * vectors):
            T.buffer_store(acc, zero, [ramp(i * lanes, lanes)])
        halves = range(first // LINE, (first + width) // LINE)
        streams = [local(panel_start + half * depth * LINE) for half in halves]
        ahead = [local(fetch.start + half * depth * fetch.step) for half in halves if fetch.is_on]

        def input_row(
            k: Expr, acc: tirx.Var = acc, streams: Sequence[Expr] = streams,
            ahead: Sequence[Expr] = ahead,
        ) -> None:  # fmt: skip
            panel = [
                T.bind(
                    load_weights(
                        weights, streams[j * lanes // LINE] + k * LINE + j * lanes % LINE, lanes,
                        weight_dtype,
                    )
                )
                for j in range(vectors)
            ]  # fmt: skip
            for begun in ahead:
                fetch.line(begun + k * fetch.step)
            for i in range(rows):
                value = T.bind(broadcast(a[row_starts[i] + k], lanes))
                for j in range(vectors):
                    at = ramp(i * width + j * lanes, lanes)
                    T.buffer_store(acc, acc[at] + value * panel[j], [at])

        for_unrolled(depth, tuning.unroll, input_row)
        for i in range(rows):
            for j in range(vectors):
                T.buffer_store(
                    values,
                    acc[ramp(i * width + j * lanes, lanes)],
                    [ramp(i * PANEL + first + j * lanes, lanes)],
                )
    return T.address_of(values[0])


def for_unrolled(count: Expr, unroll: int, body: Callable[[Expr], None]) -> None:
    """Emit `body(k)` for 0 <= k < count in order, `unroll` times per turn of the loop."""
    for_turns(count, unroll, lambda k, turn: body(k))


def for_turns(count: Expr, turns: int, body: Callable[[Expr, int], None]) -> None:
    """Emit `body(k, k % turns)` for 0 <= k < count in order, `turns` times per turn of the loop.

    What is left at the end has turn 0.
    """
    if turns == 1:
        with T.serial(0, count) as k:
            body(k, 0)
        return
    whole = local(tirx.truncdiv(count, turns))
    with T.serial(0, whole) as number:
        for turn in range(turns):
            body(number * turns + turn, turn)
    with T.serial(0, count - whole * turns) as rest:
        body(whole * turns + rest, 0)


def row_blocks(rows: Expr | int, limit: int) -> Expr:
    """Number of blocks of at most `limit` rows."""
    return tirx.truncdiv(rows + (limit - 1), limit)


def for_tiles(tallest: int, first: Expr, last: Expr, body: Callable[[Expr, Expr], None]) -> None:
    """Emit `body(row, height)` so that tiles cover rows first..last.

    As few tiles as possible, of heights that differ by at most one: a low tile waits for its sums
    instead of being limited by the multipliers.
    """
    count = local(row_blocks(last - first, tallest))
    each = local(tirx.truncdiv(last - first, tirx.max(count, 1)))
    extra = local((last - first) - each * count)
    with T.serial(0, count) as number:
        row = local(first + number * each + tirx.min(number, extra))
        body(row, local(each + tirx.Select(number < extra, tirx.const(1), tirx.const(0))))


def by_height(tallest: int, height: Expr, body: Callable[[int], None]) -> None:
    """Emit `body` for every height of a tile, and the choice between them."""
    for candidate in range(tallest, 0, -1):
        with T.If(tirx.EQ(height, candidate)), T.Then():
            body(candidate)


def tile_functions(name: str, tallest: int) -> dict[str, int]:
    """The functions of a kernel's tile, one per height, with these heights.

    In one function for all, the tallest loops decide what all others save and keep on the stack.
    One row comes first: it is all that decoding has.
    """
    return {f"{name}_tile{height}": height for height in (1, *range(tallest, 1, -1))}


def call_tile(functions: Mapping[str, int], height: Expr, *arguments: Expr | int) -> None:
    """Emit the call of the one of `functions` that is for tiles of `height`, its last argument."""
    for symbol, known in functions.items():
        with T.If(tirx.EQ(height, known)), T.Then():
            call(symbol, *arguments, known)


def for_row_blocks(
    tallest: int, first: Expr, last: Expr, body: Callable[[Expr, int], None]
) -> None:
    """Emit `body(row, height)` for the tiles of `for_tiles`, with heights that are known."""
    for_tiles(
        tallest, first, last,
        lambda row, height: by_height(tallest, height, lambda known: body(row, known)),
    )  # fmt: skip


def for_columns(width: Expr, lanes: int, body: Callable[[Expr, int], None]) -> None:
    """Emit `body(column, lanes)` over `width` columns, one by one where no vector is left."""
    if lanes == 1:
        with T.serial(0, width) as j:
            body(local(j), 1)
        return
    with T.serial(0, tirx.truncdiv(width, lanes)) as j:
        body(local(j * lanes), lanes)
    tail = local(tirx.truncmod(width, lanes))
    with T.If(tail > 0), T.Then(), T.serial(0, tail) as j:
        body(local(width - tail + j), 1)
