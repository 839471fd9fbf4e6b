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

from edgemoe.targets.kernels.panels import PANEL as PANEL
from edgemoe.targets.kernels.tuning import Tuning
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.spec import Isa

CACHE_LINE = 64
"""Bytes."""

STORED_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of one packed weight."""

SUMS = {16: 24, 8: 12, 4: 24}
"""Registers that hold sums, by lanes; a tile that needs more takes its panel in two parts."""

UNFETCHED = Tuning(prefetch=0)
"""For operands that lie in caches."""

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

    `stores` go into an object file of their own, see `accumulate`.
    """

    main: tirx.PrimFunc
    stores: dict[str, tirx.PrimFunc] = field(default_factory=dict)


def call(symbol: str, *arguments: Expr | int) -> None:
    """Emit a call of another generated C function."""
    T.evaluate(T.call_extern("int32", symbol, *arguments))


def local(value: Expr | int) -> Expr:
    """`value`, an int32, computed once."""
    return register(tirx.const(value, "int32") if isinstance(value, int) else value)


def tallest_tile(isa: Isa) -> int:
    """Rows of the tallest register tile of `isa`; its sums leave room for a panel row."""
    return {16: 12, 8: 6, 4: 6}[isa.lanes]


def tile_width(isa: Isa, rows: int, columns: int = 0) -> int:
    """Columns of a panel that a tile of `rows` rows takes at once: its sums stay in registers.

    `columns` says otherwise for tiles that cannot take all.
    """
    if rows * PANEL // isa.lanes <= SUMS[isa.lanes]:
        return PANEL
    return columns or SUMS[isa.lanes] // tallest_tile(isa) * isa.lanes


def load(buffer: tirx.Var, start: Expr, lanes: int) -> Expr:
    """`lanes` consecutive elements from `start` on."""
    return buffer[T.ramp(start, 1, lanes)] if lanes > 1 else buffer[start]


def splat(value: Expr, lanes: int) -> Expr:
    """A scalar in every lane."""
    return tirx.Broadcast(value, lanes) if lanes > 1 else value


def store(buffer: tirx.Var, start: Expr, value: Expr, lanes: int) -> None:
    """Emit a store of `lanes` consecutive elements."""
    T.buffer_store(buffer, value, [T.ramp(start, 1, lanes) if lanes > 1 else start])


def operand(buffer: tirx.Var, indexing: str, index: Mapping[str, Expr], lanes: int) -> Expr:
    """An operand of an epilogue at the place that `index` gives for its indexing."""
    at = index[indexing]
    one = indexing in ("row", "scalar", "token_row")
    return splat(buffer[at], lanes) if one else load(buffer, at, lanes)


def load_weights(buffer: tirx.Var, start: Expr, lanes: int, dtype: str) -> Expr:
    """`lanes` packed weights as float32; bfloat16 is widened by a shift."""
    if dtype == "float32":
        return buffer[T.ramp(start, 1, lanes)]
    if dtype == "float16":
        half = tirx.reinterpret(typed("float16", lanes), buffer[T.ramp(start, 1, lanes)])
        return tirx.Cast(typed("float32", lanes), half)
    raw = tirx.Cast(typed("uint32", lanes), buffer[T.ramp(start, 1, lanes)])
    shifted = tirx.shift_left(raw, tirx.Broadcast(tirx.const(16, "uint32"), lanes))
    return tirx.reinterpret(typed("float32", lanes), shifted)


def accumulate(
    isa: Isa,
    a: tirx.Var,
    row_starts: Sequence[Expr],
    depth: Expr,
    weights: tirx.Var,
    panel_start: Expr,
    weight_dtype: str,
    stride: Expr | int = PANEL,
    tuning: Tuning = UNFETCHED,
) -> Expr:
    """Emit sum over k of a[row_starts[i] + k] * panel[k, :]; returns the address of [rows, PANEL].

    Row k of the panel begins at panel_start + k * stride.

    What is done with the sums must happen in a function of another object file: were it inlined,
    LLVM would keep its constants in registers during the loop over k and spill the sums.
    """
    rows, lanes = len(row_starts), isa.lanes
    values = T.alloc_buffer((rows * PANEL,), "float32")
    width = tile_width(isa, rows, tuning.columns)
    vectors = width // lanes
    zero = tirx.Broadcast(tirx.const(0.0, "float32"), lanes)
    for first in range(0, PANEL, width):
        acc = T.alloc_buffer((rows * width,), "float32")
        for i in range(rows * vectors):
            T.buffer_store(acc, zero, [T.ramp(i * lanes, 1, lanes)])

        def input_row(k: Expr, first: int = first, acc: tirx.Var = acc) -> None:
            start = panel_start + k * stride + first
            panel = [
                T.bind(load_weights(weights, start + j * lanes, lanes, weight_dtype))
                for j in range(vectors)
            ]
            if first == 0:
                fetch_ahead(weights, start, tuning.prefetch, STORED_BYTES[weight_dtype])
            for i in range(rows):
                value = T.bind(tirx.Broadcast(a[row_starts[i] + k], lanes))
                for j in range(vectors):
                    at = T.ramp(i * width + j * lanes, 1, lanes)
                    T.buffer_store(acc, acc[at] + value * panel[j], [at])

        for_unrolled(depth, tuning.unroll, input_row)
        for i in range(rows):
            for j in range(vectors):
                T.buffer_store(
                    values,
                    acc[T.ramp(i * width + j * lanes, 1, lanes)],
                    [T.ramp(i * PANEL + first + j * lanes, 1, lanes)],
                )
    return T.address_of(values[0])


def fetch_ahead(weights: tirx.Var, start: Expr, ahead: int, itemsize: int) -> None:
    """Emit prefetches of one panel row that lies `ahead` bytes behind `start`; none for 0.

    Hardware prefetchers run too short a way ahead of a loop that does this much work per line.
    """
    for line in range(0, PANEL * itemsize if ahead else 0, CACHE_LINE):
        address = T.address_of(weights[start + (ahead + line) // itemsize])
        read, all_caches, data = 0, 3, 1
        T.evaluate(T.call_llvm_intrin("void", "llvm.prefetch.p0", address, read, all_caches, data))


def for_unrolled(count: Expr, unroll: int, body: Callable[[Expr], None]) -> None:
    """Emit `body(k)` for 0 <= k < count in order, `unroll` times per turn of the loop."""
    if unroll == 1:
        with T.serial(0, count) as k:
            body(k)
        return
    whole = local(tirx.truncdiv(count, unroll))
    with T.serial(0, whole) as turn:
        for i in range(unroll):
            body(turn * unroll + i)
    with T.serial(0, count - whole * unroll) as rest:
        body(whole * unroll + rest)


def row_blocks(rows: Expr | int, limit: int) -> Expr:
    """Number of blocks of at most `limit` rows."""
    return tirx.truncdiv(rows + (limit - 1), limit)


def for_row_blocks(
    tallest: int, first: Expr, last: Expr, body: Callable[[Expr, int], None]
) -> None:
    """Emit `body(row, height)` so that tiles cover rows first..last.

    As few tiles as possible, of heights that differ by at most one: a low tile waits for its sums
    instead of being limited by the multipliers.
    """
    count = local(row_blocks(last - first, tallest))
    each = local(tirx.truncdiv(last - first, tirx.max(count, 1)))
    extra = local((last - first) - each * count)
    with T.serial(0, count) as number:
        row = local(first + number * each + tirx.min(number, extra))
        height = local(each + tirx.Select(number < extra, tirx.const(1), tirx.const(0)))
        for candidate in range(1, tallest + 1):
            with T.If(tirx.EQ(height, candidate)), T.Then():
                body(row, candidate)


def for_columns(width: Expr, lanes: int, body: Callable[[Expr, int], None]) -> None:
    """Emit `body(column, lanes)` over `width` columns, one by one where no vector is left."""
    with T.serial(0, tirx.truncdiv(width, lanes)) as j:
        body(local(j * lanes), lanes)
    tail = local(tirx.truncmod(width, lanes))
    with T.If(tail > 0), T.Then(), T.serial(0, tail) as j:
        body(local(width - tail + j), 1)
