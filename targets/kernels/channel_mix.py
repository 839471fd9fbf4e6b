"""`channel_mix`: rows times packed weights, for the short sums of mixers.

out[m, n] = epilogue(sum_k a[m, k] * w[n, k], operands at (m, n))

The right multiplication that belongs to `token_mix`, with the same register tile: sums begin at
what is added to them. Weights are packed as for `linear`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import columns as wide
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import mix_tile
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.spec import Isa

ROW_BLOCK = 48
"""Rows of one task."""


@dataclass(frozen=True)
class ChannelMix:
    """What distinguishes one kernel from another."""

    epilogue: ex.Node

    @property
    def operands(self) -> tuple[ex.Operand, ...]:
        """Extra tensors, in the order of the kernel's pointers."""
        return tuple(ex.operands_of(self.epilogue).values())

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (a, weights, out, operands..., rows, depth, columns)."""
        return ("float*", "float*", "float*", *["float*"] * len(self.operands), *["int32_t"] * 3)

    def tasks(self, rows: int, columns: int) -> int:
        """Number of independent tasks."""
        return -(-rows // ROW_BLOCK) * (columns // tiles.PANEL)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        tile, store = f"{name}_tile", f"{name}_store"
        addends, rest = mix_tile.split_addends(self.epilogue)
        others = {tile: mix_tile.function(isa, addends)}
        if not isinstance(rest, ex.Port):
            others[store] = self._store(isa, rest)
        after = isa.symbol(store) if store in others else None
        return tiles.Built(self._main(isa, addends, isa.symbol(tile), after), others)

    def _main(
        self, isa: Isa, addends: list[ex.Operand], tile: str, store: str | None
    ) -> tirx.PrimFunc:
        width = mix_tile.width_of(isa)
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["a", "weights", "out", *(f"operand{o.index}" for o in self.operands)]
            buffers, (rows, depth, columns, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("rows", "depth", "columns")
            )
            blocks = tiles.local(tiles.row_blocks(rows, ROW_BLOCK))
            each = tiles.local(tirx.truncdiv(rows + blocks - 1, blocks))
            with T.serial(begin, end) as task:
                panel = tiles.local(tirx.truncdiv(task, blocks))
                first = tiles.local(tirx.min(rows, tirx.truncmod(task, blocks) * each))
                last = tiles.local(tirx.min(rows, first + each))
                with T.serial(0, tiles.PANEL // width) as part:
                    column = tiles.local(panel * tiles.PANEL + part * width)

                    def block(row: Expr, height: int) -> None:
                        full = tiles.local(row * columns + column)
                        index = {
                            "full": full, "column": column, "row": row,
                            "scalar": tirx.const(0, "int32"),
                        }  # fmt: skip
                        start = panel * depth * tiles.PANEL + part * width
                        places = {"a": row * depth, "weights": start, "out": full}
                        mix_tile.call(
                            tile, buffers, places, addends, index,
                            [depth, tirx.const(tiles.PANEL, "int32"), columns], height,
                        )  # fmt: skip

                    tiles.for_row_blocks(mix_tile.height_of(isa), first, last, block)
                if store is not None:
                    addresses = [T.address_of(buffers[n][0]) for n in names[2:]]
                    tiles.call(store, *addresses, panel * tiles.PANEL, columns, first, last)
        return builder.get()

    def _store(self, isa: Isa, rest: ex.Node) -> tirx.PrimFunc:
        """What follows the sums, in place, for rows begin..end of one panel."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["out", *(f"operand{o.index}" for o in self.operands)]
            buffers, (left, columns, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("left", "columns")
            )
            with T.serial(begin, end) as row:

                def vector(j: Expr, lanes: int) -> None:
                    column = tiles.local(left + j)
                    index = {
                        "full": tiles.local(row * columns + column),
                        "column": column,
                        "row": row,
                        "scalar": tirx.const(0, "int32"),
                    }

                    def leaf(node: ex.Port | ex.Operand) -> Expr:
                        if isinstance(node, ex.Port):
                            return tiles.load(buffers["out"], index["full"], lanes)
                        return tiles.operand(
                            buffers[f"operand{node.index}"], node.indexing, index, lanes
                        )

                    value = ex.evaluate(rest, leaf, lanes)
                    tiles.store(buffers["out"], index["full"], value, lanes)

                wide.for_columns(tirx.const(tiles.PANEL, "int32"), isa.lanes, vector)
        return builder.get()
