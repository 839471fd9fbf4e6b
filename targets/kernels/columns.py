"""Loops over columns that give the processor several chains of arithmetic at once.

An exponential or a GELU is one long chain: the scheduler of a core holds the operations of about
three of them, while six would be needed to fill its pipes. Vectors wider than the registers let
LLVM write the chains of several registers side by side.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles

SIDE_BY_SIDE = 2
"""Registers of one step; with more, the values of a rational function no longer fit."""


def for_panel(width: Expr, panel: int, lanes: int, body: Callable[[Expr, int], None]) -> None:
    """Emit `for_columns` over `width` columns of a panel, which most panels have `panel` of.

    There nothing is left to decide, which counts where a row has few columns.
    """
    if lanes == 1:
        for_columns(width, lanes, body)
        return
    wide = min(lanes * SIDE_BY_SIDE, panel)
    with T.If(tirx.EQ(width, panel)):
        with T.Then():
            for j in range(0, panel, wide):
                body(tirx.const(j, "int32"), wide)
        with T.Else():
            for_columns(width, min(lanes, panel), body)


def for_columns(
    width: Expr, lanes: int, body: Callable[[Expr, int], None], together: int = SIDE_BY_SIDE
) -> None:
    """Emit `body(column, lanes)` over `width` columns: several registers at once, one, scalars."""
    if lanes == 1:
        with T.serial(0, width) as j:
            body(tiles.local(j), 1)
        return
    wide = lanes * together
    with T.serial(0, tirx.truncdiv(width, wide)) as j:
        body(tiles.local(j * wide), wide)
    rest = tiles.local(tirx.truncmod(width, wide))
    done = tiles.local(width - rest)
    with T.If(rest > 0), T.Then():
        with T.serial(0, tirx.truncdiv(rest, lanes)) as j:
            body(tiles.local(done + j * lanes), lanes)
        tail = tiles.local(tirx.truncmod(rest, lanes))
        with T.serial(0, tail) as j:
            body(tiles.local(width - tail + j), 1)
