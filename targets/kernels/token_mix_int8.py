"""`token_mix_int8`: `token_mix` with int8 products: rows of weights, panels of activations.

The tiles of `linear`, whose operands have changed places: `unpack_rows` makes the rows,
`quantise_panels` the panels. Sums inside a group are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import columns
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.fetch import Fetch
from edgemoe.targets.kernels.integer_product import IntegerProduct
from edgemoe.targets.kernels.panels import PANEL
from edgemoe.targets.kernels.product import C_TYPES
from edgemoe.targets.kernels.static_product import StaticMixProduct
from edgemoe.targets.kernels.tuning import Tuning
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat

TUNING = Tuning(prefetch=0)
"""Panels have just been written: they are in the cache."""


@dataclass(frozen=True)
class TokenMixInt8:
    """What distinguishes one kernel from another; `given` is the format of the panels."""

    epilogue: ex.Node
    given: WeightFormat

    uses = ("dot",)
    """Products of int8 are computed."""

    @property
    def operands(self) -> tuple[ex.Operand, ...]:
        """Extra tensors, in the order of the kernel's pointers."""
        return tuple(ex.operands_of(self.epilogue).values())

    @property
    def _product(self) -> IntegerProduct:
        kind = StaticMixProduct if self.given.static_activations else IntegerProduct
        return kind(self.given, TUNING)

    @property
    def _pointers(self) -> dict[str, str]:
        rows = {"a": "int32", "scales": "float32", "sums": "int32"}
        zeros = {"zeros": "int32"} if self.given.zero_points else {}
        zeros |= {"facts": "float32"} if self.given.static_activations else {}
        operands = {f"operand{o.index}": "float32" for o in self.operands}
        return {**rows, **zeros, "weights": "int32", "out": "float32", **operands}

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (rows, scales, sums, zeros?, panels, out, operands.., rows, depth, channels).

        Static activations have their facts in place of zeros. The number of rows counts those of
        one matrix.
        """
        return (*(C_TYPES[dtype] for dtype in self._pointers.values()), *["int32_t"] * 3)

    def tasks(self, batch: int, rows: int, channels: int) -> int:
        """Number of independent tasks."""
        return batch * -(-channels // PANEL) * -(-rows // TUNING.row_block)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        tile, store = f"{name}_tile", f"{name}_store"
        return tiles.Built(
            self._main(isa, isa.symbol(tile)), {store: self._store(isa)},
            {tile: self._tile(isa, isa.symbol(store))},
        )  # fmt: skip

    def _main(self, isa: Isa, tile: str) -> tirx.PrimFunc:
        """The loops over tasks and tiles: all rows of a task meet one panel."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = self._pointers
            buffers, (rows, depth, channels, begin, end) = tiles.parameters(
                names, ("rows", "depth", "channels")
            )
            blocks = tiles.local(tiles.row_blocks(rows, TUNING.row_block))
            each = tiles.local(tirx.truncdiv(rows + blocks - 1, blocks))
            with T.serial(begin, end) as task:
                panel = tiles.local(tirx.truncdiv(task, blocks))
                first = tiles.local(tirx.min(rows, (task - panel * blocks) * each))
                last = tiles.local(tirx.min(rows, first + each))
                addresses = [T.address_of(buffers[n][0]) for n in names]
                tiles.for_tiles(
                    self._product.tallest(isa), first, last,
                    lambda row, height: tiles.call(
                        tile, *addresses, row, panel, rows, depth, channels, 0, height
                    ),
                )  # fmt: skip
        return builder.get()

    def _tile(self, isa: Isa, store: str) -> tirx.PrimFunc:
        """Rows row..row+end of panel number `panel`, counted over all matrices."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names, product = self._pointers, self._product
            buffers, (row, panel, rows, depth, channels, _, height) = tiles.parameters(
                names, ("row", "panel", "rows", "depth", "channels")
            )
            nothing = tirx.const(0, "int32")

            def fetching(start: Expr, size: Expr) -> Fetch:
                del start, size
                return Fetch(buffers["weights"], 4, TUNING, nothing, nothing, nothing)

            def tile(known: int) -> None:
                numbers = [tiles.local(row + i) for i in range(known)]
                values = product.emit(isa, buffers, numbers, depth, panel, fetching)
                addresses = [
                    T.address_of(buffers[n][0]) for n in names if n.startswith(("out", "operand"))
                ]
                tiles.call(store, values, *addresses, row, panel, rows, channels, 0, known)

            tiles.by_height(product.tallest(isa), height, tile)
        return builder.get()

    def _store(self, isa: Isa) -> tirx.PrimFunc:
        """The epilogue of a tile's values [rows, PANEL]."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"values": "float32", "out": "float32"}
            names.update({f"operand{o.index}": "float32" for o in self.operands})
            buffers, (row, panel, rows, channels, begin, end) = tiles.parameters(
                names, ("row", "panel", "rows", "channels")
            )
            count = tiles.local(tirx.truncdiv(channels + (PANEL - 1), PANEL))
            matrix = tiles.local(tirx.truncdiv(panel, count))
            left = tiles.local((panel - matrix * count) * PANEL)
            width = tiles.local(tirx.min(channels - left, PANEL))
            with T.serial(begin, end) as i:
                start = tiles.local((matrix * rows + row + i) * channels + left)

                def vector(j: Expr, lanes: int) -> None:
                    index = {
                        "full": tiles.local(start + j),
                        "column": tiles.local(left + j),
                        "row": row + i,
                        "scalar": tirx.const(0, "int32"),
                    }

                    def leaf(node: ex.Port | ex.Operand) -> Expr:
                        if isinstance(node, ex.Port):
                            return tiles.load(buffers["values"], i * PANEL + j, lanes)
                        return tiles.operand(
                            buffers[f"operand{node.index}"], node.indexing, index, lanes
                        )

                    value = ex.evaluate(self.epilogue, leaf, lanes)
                    tiles.store(buffers["out"], index["full"], value, lanes)

                columns.for_columns(width, isa.lanes, vector)
        return builder.get()
