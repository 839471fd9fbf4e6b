"""`mask_range`: which keys a mask lets each query see, so that attention skips all others.

Of every row of a mask: the first key that is seen, the one after the last, and what lies between.
Causal and sliding-window masks have nothing hidden between; attention then never reads them. It is
computed once per mask, not once per head and layer, and at compile time where the mask is constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.attention_form import LOWEST, MaskKind
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.vector_math import typed
from edgemoe.targets.spec import Isa

MIXED, CLEAN, MEAN, ZERO = range(4)
"""Between first and last: something hidden or added; all seen as they are. Nothing is seen at all:
the result is the mean of all values (what a softmax over equal scores gives), or zero."""

FIELDS = 3
"""int32 numbers per row: first, last, kind."""


def ranges(mask: NDArray[Any], kind: MaskKind, *, guarded: bool) -> NDArray[np.int32]:
    """The reference: a mask [.., keys] -> int32 [.., 3], first and last seen key (+ 1), and kind.

    `guarded`: a row of nothing but -inf gives zeros instead of the mean.
    """
    keys = mask.shape[-1]
    visible = mask > LOWEST if kind == "float" else mask == 0 if kind == "hidden" else mask != 0
    count = visible.sum(-1)
    first = np.where(count > 0, visible.argmax(-1), 0)
    last = np.where(count > 0, keys - visible[..., ::-1].argmax(-1), keys)
    plain = count == last - first
    infinite: NDArray[Any] = np.ones(count.shape, bool)
    if kind == "float":
        plain &= ~((mask != 0) & visible).any(-1)
        infinite = np.asarray(np.isneginf(mask).all(axis=-1))
    nothing = np.where(infinite & guarded, ZERO, MEAN)
    what = np.where(count > 0, np.where(plain, CLEAN, MIXED), nothing)
    return np.stack([first, last, what], -1).astype(np.int32)


@dataclass(frozen=True)
class MaskRange:
    """The kernel; one task per row of the mask."""

    mask: MaskKind
    guarded: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (mask [tasks, keys], ranges [tasks, 3], keys)."""
        return ("float*" if self.mask == "float" else "int8_t*", "int32_t*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"mask": "float32" if self.mask == "float" else "int8", "ranges": "int32"}
            buffers, (keys, begin, end) = tiles.parameters(names, ("keys",))
            with T.serial(begin, end) as row:
                self._row(isa, buffers, row, keys)
        return tiles.Built(builder.get())

    def _row(self, isa: Isa, buffers: dict[str, tirx.Var], row: Expr, keys: Expr) -> None:
        # Per lane: the first and the last key seen, how many, how many with something added, and
        # how many are hidden by less than minus infinity.
        starts = (keys, tirx.const(-1, "int32"), *(tirx.const(0, "int32"),) * 3)
        lanes = isa.lanes
        cells = [T.alloc_buffer((lanes,), "int32") for _ in starts]
        every = tiles.ramp(0, lanes)
        for cell, start in zip(cells, starts, strict=True):
            T.buffer_store(cell, tiles.splat(start, lanes), [every])
        at = tiles.local(row * keys)

        def look(j: Expr, n: int) -> None:
            lane = every if n > 1 else 0
            given = buffers["mask"][tiles.ramp(at + j, n)]
            number = tiles.ramp(j, n)
            seen, added, finite = self._facts(given, n)

            def count(cell: tirx.Var, condition: Expr) -> None:
                one = tirx.Cast(typed("int32", n), condition)
                T.buffer_store(cell, cell[lane] + one, [lane])

            def update(cell: tirx.Var, better: Callable[[Expr], Expr]) -> None:
                old = cell[lane]
                T.buffer_store(cell, tirx.Select(tirx.And(seen, better(old)), number, old), [lane])

            update(cells[0], lambda old: number < old)
            update(cells[1], lambda old: number > old)
            count(cells[2], seen)
            if self.mask == "float":
                count(cells[3], tirx.And(seen, added))
                count(cells[4], finite)

        tiles.for_columns(keys, lanes, look)
        joined = [cell[0] for cell in cells]
        for lane in range(1, lanes):
            others = [cell[lane] for cell in cells]
            joined = [
                tiles.local(value)
                for value in (
                    tirx.min(joined[0], others[0]), tirx.max(joined[1], others[1]),
                    *(a + b for a, b in zip(joined[2:], others[2:], strict=True)),
                )
            ]  # fmt: skip
        first, last, count, added, finite = joined
        any_seen = count > 0
        plain = tirx.all(tirx.EQ(count, last + 1 - first), tirx.EQ(added, 0))
        nothing: Expr = tirx.const(MEAN, "int32")
        if self.guarded:
            zero = tirx.const(ZERO, "int32")
            nothing = tirx.Select(tirx.EQ(finite, 0), zero, nothing)
        some = tirx.Select(plain, tirx.const(CLEAN, "int32"), tirx.const(MIXED, "int32"))
        result = (
            tirx.Select(any_seen, first, tirx.const(0, "int32")),
            tirx.Select(any_seen, last + 1, keys),
            tirx.Select(any_seen, some, nothing),
        )
        for i, value in enumerate(result):
            T.buffer_store(buffers["ranges"], value, [row * FIELDS + i])

    def _facts(self, given: Expr, lanes: int) -> tuple[Expr, Expr, Expr]:
        """Whether an element lets its key be seen, adds something, and is above -infinity."""
        if self.mask == "float":
            low, zero, lowest = (
                tiles.splat(tirx.const(value, "float32"), lanes)
                for value in (LOWEST, 0.0, float(np.finfo(np.float32).min))
            )
            return given > low, given != zero, given >= lowest
        zero = tiles.splat(tirx.const(0, "int8"), lanes)
        seen = given != zero if self.mask == "seen" else tirx.EQ(given, zero)
        return seen, seen, seen
