"""One product of a MoE layer for all of its slots, with the layer's own body as epilogue.

A tile of rows belongs to one expert (`group`): a work-group reads the expert's matrix alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.experts import Source
from edgemoe.targets.kernels.gpu import few_rows, grid, integer_tile, product
from edgemoe.targets.kernels.gpu.group import TILE, most_tiles
from edgemoe.targets.kernels.gpu.linear import evaluated
from edgemoe.targets.kernels.gpu.quantise_rows import row_words
from edgemoe.targets.kernels.gpu.weights import C_TYPE, Layout, element_of
from edgemoe.targets.kernels.vector_math import register

_ZERO = tirx.const(0.0, "float32")

Result = Literal["sorted", "slot"]
"""Which row of `out` is written: the sorted row's, or its slot's."""


@dataclass(frozen=True)
class GpuExperts:
    """One product of the layer for all slots; `direct`: slot s is tile s, of expert ids[s]."""

    epilogue: ex.Node
    layout: Layout
    ports: int
    source: Source
    result: Result
    slots: int
    experts: int
    chosen: int
    cut: product.Cut
    direct: bool
    integer: bool = False

    @property
    def threads(self) -> int:
        """Threads of a work-group."""
        return self.cut.threads

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (a, scales?, weights, out, ids or (order, tiles), operands...)."""
        rows = ("uint32_t*", "float*") if self.integer else ("float*",)
        lists = ("int32_t*",) * (1 if self.direct else 2)
        operands = ["float*"] * len(ex.operands_of(self.epilogue))
        return (*rows, C_TYPE, "float*", *lists, *operands)

    @property
    def columns(self) -> int:
        """Columns of one port."""
        return self.layout.columns // self.ports

    @property
    def _parts(self) -> int:
        return -(-self.columns // self.cut.columns)

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        if self.direct:
            return self.slots * self._parts
        return most_tiles(self.slots, self.experts, self.cut.rows) * self._parts

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        names = {"a": "uint32", "scales": "float32"} if self.integer else {"a": "float32"}
        names |= {"weights": element_of(self.cut.wide), "out": "float32"}
        names |= {"ids": "int32"} if self.direct else {"order": "int32", "tiles": "int32"}
        names |= {f"operand{i}": "float32" for i in ex.operands_of(self.epilogue)}
        return grid.kernel(names, self.groups, self.threads, self._emit)

    def _emit(self, at: grid.Grid) -> None:
        number = register(tirx.truncdiv(at.group, self._parts))
        first = register(tirx.truncmod(at.group, self._parts) * self.cut.columns)
        if self.direct:
            given = register(at.buffers["ids"][number])
            valid = register(tirx.Cast("int32", tirx.all(given >= 0, given < self.experts)))
            expert = register(tirx.max(0, tirx.min(given, self.experts - 1)))
            row, rows = number, tirx.const(1, "int32")
        else:
            tiles = at.buffers["tiles"]
            valid = register(tirx.Cast("int32", number < tiles[0]))
            # Of a tile that there is not, nothing may be used: not even as an address.
            to = register(1 + number * TILE)
            expert, row, rows = (
                register(tirx.Select(valid > 0, tiles[to + i], tirx.const(0))) for i in range(TILE)
            )
        base = register(expert * self.layout.stride)
        exists = valid > 0

        def slot_of(i: Expr) -> Expr:
            if self.direct:
                return row
            return at.buffers["order"][tirx.max(0, tirx.min(row + i, row + rows - 1))]

        def start_of(i: Expr) -> Expr:
            if self.source == "sorted" and not self.direct:
                return tirx.min(row + i, row + tirx.max(rows - 1, 0))
            slot = slot_of(i)
            return tirx.truncdiv(slot, self.chosen) if self.source == "token" else slot

        def store(i: Expr, column: Expr, values: Sequence[Expr]) -> None:
            with grid.when(i < rows):
                slot = register(slot_of(i))
                token = register(tirx.truncdiv(slot, self.chosen))
                target = slot if self.result == "slot" or self.direct else row + i
                index = {
                    "full": slot * self.columns + column, "token": token * self.columns + column,
                    "token_row": token, "expert_column": expert * self.columns + column,
                    "column": column, "row": slot, "scalar": tirx.const(0, "int32"),
                }  # fmt: skip
                value = evaluated(self.epilogue, at, index, values)
                T.buffer_store(at.buffers["out"], value, [target * self.columns + column])

        words, a = at.buffers["weights"], at.buffers["a"]
        depth = self.layout.depth
        if not self.cut.is_tile:
            # A tile that there is not reads the rows of token 0, and writes nothing.
            starts = [
                register(tirx.Select(exists, start_of(tirx.const(i)), tirx.const(0)) * depth)
                for i in range(self.cut.rows)
            ]
            few_rows.emit(
                at, self.cut, self.layout, self.ports, words, base, a, starts, first, exists, store
            )
            return
        begins = grid.shared(self.cut.rows, "int32")

        def begin(i: Expr) -> None:
            T.buffer_store(begins, tirx.Select(exists, start_of(i), tirx.const(0)), [i])

        grid.strided(at.thread, self.cut.rows, self.threads, begin)
        grid.barrier()

        if self.integer:
            line = row_words(self.layout)

            def word(i: Expr, w: Expr) -> Expr:
                inside = tirx.all(i < rows, w < line)
                return tirx.if_then_else(inside, a[begins[i] * line + w], tirx.const(0, "uint32"))

            def row_scale(i: Expr, group: Expr) -> Expr:
                return at.buffers["scales"][begins[i] * self.layout.groups + group]

            integer_tile.tile(
                at, self.cut, self.layout, self.ports, word, row_scale, words, base, first, exists,
                store,
            )  # fmt: skip
            return

        def left(i: Expr, k: Expr) -> Expr:
            inside = tirx.all(i < rows, k < depth)
            return tirx.if_then_else(inside, a[begins[i] * depth + k], _ZERO)

        product.tile(
            at, self.cut, depth, self.columns, self.ports, product.fill_rows(at, self.cut, left),
            product.fill_weights(at, self.cut, self.layout, self.ports, words, base, first), first,
            exists, store,
            [product.scale_of(self.layout, words, base, port, first, self.columns)
             for port in range(self.ports)],
        )  # fmt: skip
