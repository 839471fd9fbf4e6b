"""Reductions over one row of a tensor, in vectors with a fixed order of the partial results."""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

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
    width: Expr, lanes: int, start: float, combine: Combine, element: Callable[[Expr, int], Expr]
) -> Expr:
    """Emit the reduction of `element(column, lanes)` over `width` columns; returns a scalar."""
    partial = T.alloc_buffer((lanes,), "float32")
    at = T.ramp(0, 1, lanes)
    T.buffer_store(partial, tiles.splat(tirx.const(start, "float32"), lanes), [at])
    result = T.alloc_buffer((1,), "float32")

    with T.serial(0, tirx.truncdiv(width, lanes)) as j:
        value = element(tiles.local(j * lanes), lanes)
        T.buffer_store(partial, combine(partial[at], value), [at])
    T.buffer_store(result, across(partial[at], lanes, combine), [0])
    tail = tiles.local(tirx.truncmod(width, lanes))
    with T.serial(0, tail) as j:
        value = element(tiles.local(width - tail + j), 1)
        T.buffer_store(result, combine(result[0], value), [0])
    return result[0]


def across(vector: Expr, lanes: int, combine: Combine) -> Expr:
    """Emit the reduction of the lanes of `vector`, halves first: log2(lanes) steps."""
    value = register(vector)
    while lanes > 1:
        lanes //= 2
        cell = T.alloc_buffer((2 * lanes,), "float32")
        T.buffer_store(cell, value, [T.ramp(0, 1, 2 * lanes)])
        value = register(combine(tiles.load(cell, 0, lanes), tiles.load(cell, lanes, lanes)))
    return value


def as_float(value: Expr) -> Expr:
    """An integer expression as float32."""
    return tirx.Cast(typed("float32", 1), value)
