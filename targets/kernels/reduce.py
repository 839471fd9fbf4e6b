"""Reductions over one row of a tensor, in vectors with a fixed order of the partial results."""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import columns
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.vector_math import register, typed

Combine = Callable[[Expr, Expr], Expr]


def add(a: Expr, b: Expr) -> Expr:
    """Sum."""
    return a + b


def maximum(a: Expr, b: Expr) -> Expr:
    """Larger of the two; a NaN on the right stays."""
    return tirx.Select(a > b, a, b)


def reduce_row(
    width: Expr,
    lanes: int,
    start: float,
    combine: Combine,
    element: Callable[[Expr, int], Expr],
    together: int = columns.SIDE_BY_SIDE,
) -> Expr:
    """Emit the reduction of `element(column, lanes)` over `width` columns; returns a scalar.

    `together` registers of partial results: one alone would wait for itself.
    """
    wide = lanes * together if lanes > 1 else 1
    single = T.alloc_buffer((1,), "float32")
    partial = T.alloc_buffer((wide,), "float32") if wide > 1 else single
    initial = tirx.const(start, "float32")
    if wide > 1:
        T.buffer_store(partial, tiles.splat(initial, wide), [tiles.ramp(0, wide)])
    T.buffer_store(single, initial, [0])

    def visit(j: Expr, n: int) -> None:
        sums = single if n == 1 else partial
        tiles.store(sums, 0, combine(tiles.load(sums, 0, n), element(j, n)), n)

    columns.for_columns(width, lanes, visit, together)
    if wide == 1:
        return register(single[0])
    return register(combine(across(partial[tiles.ramp(0, wide)], wide, combine), single[0]))


def across(vector: Expr, lanes: int, combine: Combine) -> Expr:
    """Emit the reduction of the lanes of `vector`, halves first: log2(lanes) steps."""
    value = register(vector)
    while lanes > 1:
        lanes //= 2
        cell = T.alloc_buffer((2 * lanes,), "float32")
        T.buffer_store(cell, value, [tiles.ramp(0, 2 * lanes)])
        value = register(combine(tiles.load(cell, 0, lanes), tiles.load(cell, lanes, lanes)))
    return value


def as_float(value: Expr) -> Expr:
    """An integer expression as float32."""
    return tirx.Cast(typed("float32", 1), value)
