"""The products of the attention kernel: register tiles of rows times a block of keys or values.

A *row* is one query of one head. Query heads that share a key head stand next to each other, so
that a block of keys and values is read once for all of them. Sums run over the head's elements,
and over the keys of a block, in order and in one chain per result: how many rows a tile has does
not show in the bits.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.spec import Isa

KEYS = 32
"""Keys per block, and per step of the online softmax."""

DEPTH = 32
"""Elements of a head whose transposed block of keys lies on the stack: KEYS * DEPTH floats."""

HEIGHTS = {16: (8, 4, 2, 1), 8: (4, 2, 1), 4: (4, 2, 1), 1: (1,)}
"""Rows of the register tiles that there are, by lanes; the tallest that fits comes first."""

_SUMS = {16: 16, 8: 8, 4: 16, 1: 16}
"""Registers that hold sums, by lanes: as many as hide the latency of two multipliers. With more,
LLVM may keep a sum on the stack, and its chain then runs through memory."""


def for_row_tiles(isa: Isa, rows: Expr, body: Callable[[Expr, int], None]) -> None:
    """Emit `body(first row, height)` over all rows, from the tallest tile down."""
    done: Expr = tirx.const(0, "int32")
    for height in HEIGHTS[isa.lanes]:
        count = tiles.local(tirx.truncdiv(rows - done, height))
        with T.serial(0, count) as number:
            body(tiles.local(done + number * height), height)
        done = tiles.local(done + count * height)


def widened(buffer: tirx.Var, at: Expr, lanes: int, dtype: str) -> Expr:
    """`lanes` elements that are stored as float32, bfloat16, float16 or int8, as float32."""
    if dtype == "int8":
        words = tirx.Cast(typed("int32", lanes), tiles.load(buffer, at, lanes))
        return tirx.Cast(typed("float32", lanes), words)
    return tiles.load_weights(buffer, at, lanes, dtype)


def _vectors(isa: Isa, height: int) -> int:
    """Vectors of one row in a register tile; a low tile is wide, or its sums would wait."""
    most = _SUMS[isa.lanes] // height
    return min(KEYS // isa.lanes, 1 << (most.bit_length() - 1))


def add_scores(
    isa: Isa, q: tirx.Var, q_at: list[Expr], keys: tirx.Var, depth: Expr,
    scores: tirx.Var, row: Expr,
) -> None:  # fmt: skip
    """Emit scores[row + i, :] += sum over d of q[q_at[i] + d] * keys[d, :], keys [depth, KEYS]."""
    lanes, height = isa.lanes, len(q_at)
    vectors = _vectors(isa, height)
    for first in range(0, KEYS, vectors * lanes):
        places = [
            [(row + i) * KEYS + (first + j * lanes) for j in range(vectors)] for i in range(height)
        ]
        start = [[tiles.load(scores, at, lanes) for at in one] for one in places]

        def factors(d: Expr, first: int = first) -> tuple[list[Expr], list[Expr]]:
            left = [tiles.splat(q[at + d], lanes) for at in q_at]
            right = [
                tiles.load(keys, d * KEYS + (first + j * lanes), lanes) for j in range(vectors)
            ]
            return left, right

        sums = _outer(lanes, start, tirx.const(0, "int32"), depth, factors)
        for one, results in zip(places, sums, strict=True):
            for at, result in zip(one, results, strict=True):
                tiles.store(scores, at, result, lanes)


def add_values(
    isa: Isa, weights: tirx.Var, row: Expr, shrink: list[Expr], keys: tuple[Expr, Expr],
    v: tirx.Var, v_at: Expr, v_row: Expr, out: tirx.Var, o_at: list[Expr], width: Expr,
    stored: str = "float32",
) -> None:  # fmt: skip
    """Emit out[o_at[i] + n] = out * shrink[i] + sum over keys c of weights[row + i, c] * v[c, n].

    `keys` are the first key and the one after the last; row c of v, whose elements have the dtype
    `stored`, begins at v_at + c * v_row.
    """
    height = len(o_at)
    most = _vectors(isa, height)
    done: Expr = tirx.const(0, "int32")
    shapes = [(v, isa.lanes) for v in (most, 1) if v >= 1]
    for vectors, lanes in [*dict.fromkeys(shapes), (1, 1)]:
        step = vectors * lanes
        count = tiles.local(tirx.truncdiv(width - done, step))
        with T.serial(0, count) as number:
            n = tiles.local(done + number * step)
            places = [[at + n + j * lanes for j in range(vectors)] for at in o_at]
            start = [
                [tiles.load(out, at, lanes) * tiles.splat(s, lanes) for at in one]
                for one, s in zip(places, shrink, strict=True)
            ]

            def factors(
                c: Expr, n: Expr = n, vectors: int = vectors, lanes: int = lanes
            ) -> tuple[list[Expr], list[Expr]]:
                left = [tiles.splat(weights[(row + i) * KEYS + c], lanes) for i in range(height)]
                at = tiles.local(v_at + c * v_row + n)
                return left, [widened(v, at + j * lanes, lanes, stored) for j in range(vectors)]

            sums = _outer(lanes, start, *keys, factors)
            for one, results in zip(places, sums, strict=True):
                for at, result in zip(one, results, strict=True):
                    tiles.store(out, at, result, lanes)
        done = tiles.local(done + count * step)


def _outer(
    lanes: int, start: list[list[Expr]], begin: Expr, end: Expr,
    factors: Callable[[Expr], tuple[list[Expr], list[Expr]]],
) -> list[list[Expr]]:  # fmt: skip
    """Emit start + the sum over k in [begin, end) of the outer products of `factors(k)`."""
    height, vectors = len(start), len(start[0])
    sums = T.alloc_buffer((height * vectors * lanes,), "float32")
    cells = [[(i * vectors + j) * lanes for j in range(vectors)] for i in range(height)]

    def read(cell: int) -> Expr:
        return sums[tiles.ramp(cell, lanes)]

    def write(cell: int, value: Expr) -> None:
        T.buffer_store(sums, value, [tiles.ramp(cell, lanes)])

    for values, row in zip(start, cells, strict=True):
        for value, cell in zip(values, row, strict=True):
            write(cell, value)
    with T.serial(0, end - begin) as number:
        left, right = factors(begin + number)
        vectors_of_right = [register(value) for value in right]
        for value, row in zip(left, cells, strict=True):
            one = register(value)
            for other, cell in zip(vectors_of_right, row, strict=True):
                write(cell, read(cell) + one * other)
    return [[read(cell) for cell in row] for row in cells]
