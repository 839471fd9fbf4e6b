"""Groups (token, expert) slots by expert on the device, and lists the tiles of the products.

Slot s = token * K + j as in `kernels/group_tokens`. One work-group; a thread takes every so-many-th
expert and looks through the slots in their order, so that the result does not depend on timing.

    order[r]   slot of sorted row r; rows of one expert are neighbours
    tiles      [number of tiles, then per tile: expert, first sorted row, rows]

A tile has at most `height` rows of one expert: a product starts as many work-groups as there can be
tiles, and experts that nobody chose have none.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.vector_math import register

TILE = 3
"""int32 numbers of a tile: expert, first sorted row, rows."""


def most_tiles(slots: int, experts: int, height: int) -> int:
    """Tiles that there can be: one per expert is not full."""
    return min(slots, min(experts, slots) + slots // height)


@dataclass(frozen=True)
class GroupSlots:
    """The kernel for `slots` slots; `scored` routes are float scores, else ids."""

    scored: bool
    slots: int
    experts: int
    height: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (routes, order, tiles)."""
        return ("float*" if self.scored else "int32_t*", "int32_t*", "int32_t*")

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return 1

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        routes = "float32" if self.scored else "int32"
        names = {"routes": routes, "order": "int32", "tiles": "int32"}
        return grid.kernel(names, 1, self.threads, self._emit)

    def _each_slot(self, at: grid.Grid, expert: Expr, body: grid.Visit) -> None:
        """Emit `body(slot)` for the slots of an expert, in their order."""
        routes = at.buffers["routes"]
        if self.scored:
            with T.serial(0, self.slots // self.experts) as token:
                slot = register(token * self.experts + expert)
                with grid.when(routes[slot] != tirx.const(0.0, "float32")):
                    body(slot)
        else:
            with T.serial(0, self.slots) as slot, grid.when(tirx.EQ(routes[slot], expert)):
                body(slot)

    def _emit(self, at: grid.Grid) -> None:
        tiles, height = at.buffers["tiles"], self.height
        counts = grid.shared(self.experts, "int32")

        def count(expert: Expr) -> None:
            found = grid.registers(1, "int32")
            T.buffer_store(found, 0, [0])
            self._each_slot(at, expert, lambda _: T.buffer_store(found, found[0] + 1, [0]))
            T.buffer_store(counts, found[0], [expert])

        grid.strided(at.thread, self.experts, self.threads, count)
        grid.barrier()

        def place(expert: Expr) -> None:
            row, tile = grid.registers(1, "int32"), grid.registers(1, "int32")
            T.buffer_store(row, 0, [0])
            T.buffer_store(tile, 0, [0])
            with T.serial(0, expert) as before:
                held = register(counts[before])
                T.buffer_store(row, row[0] + held, [0])
                T.buffer_store(tile, tile[0] + tirx.truncdiv(held + height - 1, height), [0])
            mine = register(counts[expert])
            parts = register(tirx.truncdiv(mine + height - 1, height))
            with T.serial(0, parts) as part:
                to = register(1 + (tile[0] + part) * TILE)
                T.buffer_store(tiles, expert, [to])
                T.buffer_store(tiles, row[0] + part * height, [to + 1])
                T.buffer_store(tiles, tirx.min(mine - part * height, height), [to + 2])
            with grid.when(tirx.EQ(expert, self.experts - 1)):
                T.buffer_store(tiles, tile[0] + parts, [0])

            def keep(slot: Expr) -> None:
                T.buffer_store(at.buffers["order"], slot, [row[0]])
                T.buffer_store(row, row[0] + 1, [0])

            self._each_slot(at, expert, keep)

        grid.strided(at.thread, self.experts, self.threads, place)
