"""The register tile that every product kernel is made of: some rows times one weight panel.

Weights are packed at compile time into panels of `PANEL` output columns, `[panel][k][PANEL]`, so
that a kernel reads one contiguous stream. Sums run over k in order, in one chain per output: the
bits of a row do not depend on how many other rows or threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.vector_math import typed
from edgemoe.targets.spec import Isa

PANEL = 32
"""Output columns per weight panel, over all ports."""

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


def local(value: Expr) -> Expr:
    """`value`, an int32, computed once and kept in a register.

    A one-element array rather than `T.bind`: the analyser of TVM's simplifier substitutes bound
    values into each other and takes seconds per kernel; LLVM promotes the array.
    """
    cell = T.alloc_buffer((1,), "int32")
    T.buffer_store(cell, value, [0])
    return cell[0]


def rows_per_tile(isa: Isa) -> tuple[int, ...]:
    """Tile heights for `isa`, tallest first, ending in 1; accumulators fill the registers."""
    return {16: (12, 8, 4, 2, 1), 8: (3, 2, 1), 4: (2, 1)}[isa.lanes]


@dataclass(frozen=True)
class Tile:
    """One accumulation over k of `rows` rows; `values` is the [rows, PANEL] result on the stack."""

    rows: int
    values: tirx.Var

    def load(self, row: Expr | int, column: Expr | int, lanes: int) -> Expr:
        """`lanes` results of `row` from `column` on."""
        start = row * PANEL + column
        return self.values[T.ramp(start, 1, lanes)] if lanes > 1 else self.values[start]


def load_weights(buffer: tirx.Var, start: Expr, lanes: int, dtype: str) -> Expr:
    """`lanes` packed weights as float32; bfloat16 is widened by a shift."""
    if dtype == "float32":
        return buffer[T.ramp(start, 1, lanes)]
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
) -> Tile:
    """Emit sum over k of a[row_starts[i] + k] * panel[k, :] for every row."""
    rows, lanes = len(row_starts), isa.lanes
    vectors = PANEL // lanes
    acc = T.alloc_buffer((rows * PANEL,), "float32")
    zero = tirx.Broadcast(tirx.const(0.0, "float32"), lanes)
    for i in range(rows * vectors):
        T.buffer_store(acc, zero, [T.ramp(i * lanes, 1, lanes)])
    with T.serial(0, depth) as k:
        panel = [
            T.bind(load_weights(weights, panel_start + k * PANEL + j * lanes, lanes, weight_dtype))
            for j in range(vectors)
        ]
        for i in range(rows):
            value = T.bind(tirx.Broadcast(a[row_starts[i] + k], lanes))
            for j in range(vectors):
                at = T.ramp(i * PANEL + j * lanes, 1, lanes)
                T.buffer_store(acc, acc[at] + value * panel[j], [at])
    # Copied out so that the epilogue may index it by a loop and the sums stay in registers.
    values = T.alloc_buffer((rows * PANEL,), "float32")
    for i in range(rows * vectors):
        at = T.ramp(i * lanes, 1, lanes)
        T.buffer_store(values, acc[at], [at])
    return Tile(rows, values)


def for_row_blocks(
    heights: Sequence[int], first: Expr, last: Expr, body: Callable[[Expr, int], None]
) -> None:
    """Emit `body(row, height)` so that rows first..last are covered by the tallest tiles."""
    tallest = heights[0]
    with T.serial(0, tirx.truncdiv(last - first, tallest)) as block:
        body(local(first + block * tallest), tallest)
    done = local(first + tirx.truncdiv(last - first, tallest) * tallest)
    for height in heights[1:]:
        left = local(last - done)
        with T.serial(0, tirx.truncdiv(left, height)) as block:
            body(local(done + block * height), height)
        done = local(done + tirx.truncdiv(left, height) * height)


def for_columns(width: Expr, lanes: int, body: Callable[[Expr, int], None]) -> None:
    """Emit `body(column, lanes)` over `width` columns, one by one where no vector is left."""
    with T.serial(0, tirx.truncdiv(width, lanes)) as j:
        body(local(j * lanes), lanes)
    tail = local(tirx.truncmod(width, lanes))
    with T.If(tail > 0), T.Then(), T.serial(0, tail) as j:
        body(local(width - tail + j), 1)
