"""What a register tile fetches into the cache while it works."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.panels import LINE
from edgemoe.targets.kernels.tuning import Tuning
from edgemoe.targets.kernels.vector_math import register


@dataclass(frozen=True)
class Fetch:
    """What a tile fetches into the cache while it works, see `fetch_for`.

    `start` and `step` (per step of the loop over k) count elements of half a panel's stream.
    """

    weights: tirx.Var
    itemsize: int
    tuning: Tuning
    alone: Expr
    start: Expr
    step: Expr

    @property
    def is_on(self) -> bool:
        """Tell whether anything is fetched."""
        return self.tuning.prefetch > 0

    def line(self, at: Expr) -> None:
        """Emit the prefetch of the cache line of an element, if there is to be one."""
        if not self.is_on:
            return
        address, read, all_caches, data = T.address_of(self.weights[at]), 0, 3, 1
        T.evaluate(T.call_llvm_intrin("void", "llvm.prefetch.p0", address, read, all_caches, data))


def fetch_for(
    weights: tirx.Var, itemsize: int, tuning: Tuning, heights: tuple[int, int],
    block: tuple[Expr, Expr, Expr], this: Expr, following: Expr, size: Expr,
) -> Fetch:  # fmt: skip
    """What a tile of `for_tiles` fetches.

    A tile that has its panel alone fetches what it will read itself soon. Where several tiles use a
    panel, each fetches its share of the next one: memory is read all the time, and no tile waits.

    Args:
        weights: the packed weights.
        itemsize: bytes of an element.
        tuning: how many bytes a tile fetches ahead for itself; 0: nothing is fetched.
        heights: rows of this tile, and most rows of any.
        block: (first row of the tile, first and last row of those that use the panel).
        this: the first element of this panel.
        following: the first element of the panel that is read after it.
        size: elements of a panel.
    """
    if not tuning.prefetch:
        nothing = tirx.const(0, "int32")
        return Fetch(weights, itemsize, tuning, nothing, nothing, nothing)
    ahead = tuning.prefetch // itemsize
    height, tallest = heights
    if 2 * height <= tallest:  # more rows than one tile has make tiles of half the height at least
        one = tirx.const(1, "int32")
        return Fetch(weights, itemsize, tuning, one, register(this + ahead), tirx.const(LINE))
    row, first, last = block
    rows = register(tirx.max(last - first, 1))
    alone = tirx.EQ(rows, height)
    share = tirx.truncdiv(size, rows) * (row - first)
    start = tirx.Select(alone, this + ahead, following + share)
    step = tirx.truncdiv(rows + (LINE * height - 1), rows)
    return Fetch(
        weights, itemsize, tuning, register(tirx.Cast("int32", alone)), register(start),
        register(tirx.Select(alone, tirx.const(LINE), step)),
    )  # fmt: skip
