"""The scores of one token as vectors: copied, and their softmax."""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm


def copy_scores(
    lanes: int, source: tirx.Var, at: Expr, width: Expr, known: int, vectors: Expr | int,
    scores: tirx.Var,
) -> None:  # fmt: skip
    """Copy the row of `width` scores at `at`; the last vector is filled with -infinity.

    Of a `known` width (0: it is not), at least `lanes`, what does not fill a vector is the end of
    one that overlaps the one before: stored one by one, it would have to leave the core before
    vectors could read it.
    """
    lowest = tiles.splat(tirx.const(float("-inf"), "float32"), lanes)
    if not known:
        tiles.store(scores, (vectors - 1) * lanes, lowest, lanes)
        tiles.for_columns(
            width, lanes,
            lambda j, n: tiles.store(scores, j, tiles.load(source, at + j, n), n),
        )  # fmt: skip
        return
    with T.serial(0, known // lanes) as v:
        tiles.store(scores, v * lanes, tiles.load(source, at + v * lanes, lanes), lanes)
    rest = known % lanes
    if rest:
        end = vm.register(tiles.load(source, at + width - lanes, lanes))
        places = [tirx.const(lanes - rest + i, "int32") for i in range(lanes)]
        filled = tirx.Shuffle([end, lowest], places)
        tiles.store(scores, (vectors - 1) * lanes, filled, lanes)


def softmax_vectors(lanes: int, scores: tirx.Var, vectors: Expr | int) -> None:
    """The softmax of `vectors` whole vectors, in place."""
    every = tiles.ramp(0, lanes)
    peaks, totals = T.alloc_buffer((lanes,), "float32"), T.alloc_buffer((lanes,), "float32")
    T.buffer_store(peaks, tiles.load(scores, tirx.const(0, "int32"), lanes), [every])
    with T.serial(0, vectors) as v:
        value = vm.register(tiles.load(scores, v * lanes, lanes))
        T.buffer_store(peaks, _larger(peaks[every], value), [every])
    peak = tiles.splat(vm.across([peaks[every]], _larger), lanes)
    T.buffer_store(totals, tiles.splat(tirx.const(0.0, "float32"), lanes), [every])
    with T.serial(0, vectors) as v:
        value = vm.register(vm.exp(tiles.load(scores, v * lanes, lanes) - peak))
        tiles.store(scores, v * lanes, value, lanes)
        T.buffer_store(totals, totals[every] + value, [every])
    total = tiles.splat(vm.across([totals[every]], lambda a, b: a + b), lanes)
    with T.serial(0, vectors) as v:
        tiles.store(scores, v * lanes, tiles.load(scores, v * lanes, lanes) / total, lanes)


def _larger(a: Expr, b: Expr) -> Expr:
    return tirx.Select(a > b, a, b)


def softmax_of_few(source: tirx.Var, at: Expr, count: Expr, target: tirx.Var, to: Expr) -> None:
    """The softmax of `count` scalars from `source[at]` on, written to `target[to]`."""
    peak = T.alloc_buffer((1,), "float32")
    total = T.alloc_buffer((1,), "float32")
    T.buffer_store(peak, source[at], [0])
    T.buffer_store(total, tirx.const(0.0, "float32"), [0])
    with T.serial(0, count) as i:
        value = source[at + i]
        T.buffer_store(peak, tirx.Select(peak[0] > value, peak[0], value), [0])
    with T.serial(0, count) as i:
        value = vm.register(vm.exp(source[at + i] - peak[0]))
        T.buffer_store(target, value, [to + i])
        T.buffer_store(total, total[0] + value, [0])
    with T.serial(0, count) as i:
        T.buffer_store(target, target[to + i] / total[0], [to + i])
