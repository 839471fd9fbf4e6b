"""`experts`: rows times the packed weights of the expert that each row is routed to.

Works on the order that `group_tokens` made. One call does one product of the layer for all
experts that have rows, evaluates the layer's own body on the products (the *ports*: for a gated
expert the gate and the up product of the same column), and writes or accumulates the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import columns as wide
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.fetch import Fetch, fetch_for
from edgemoe.targets.kernels.product import c_types, product_of
from edgemoe.targets.kernels.tuning import UNTUNED, Tuned
from edgemoe.targets.spec import Isa, dots_of
from edgemoe.weight_format import F32, WeightFormat

Source = Literal["token", "slot", "sorted"]
"""Which row of `a` belongs to a sorted row: its token's, its slot's, or its own."""

Result = Literal["slot", "sorted", "accumulate"]
"""Which row of `out` is written: the slot's, the sorted row's, or added to the token's."""


@dataclass(frozen=True)
class Experts:
    """What distinguishes one expert kernel from another; sizes are run-time parameters.

    But for `known_chosen`, the slots of a token where it is not 0: every row of a tile divides by
    it.
    """

    epilogue: ex.Node
    ports: int
    source: Source
    result: Result
    given: WeightFormat = F32
    tuned: Tuned = UNTUNED
    known_chosen: int = 0

    @property
    def operands(self) -> tuple[ex.Operand, ...]:
        """Extra tensors, in the order of the kernel's pointers."""
        return tuple(ex.operands_of(self.epilogue).values())

    @property
    def port_columns(self) -> int:
        """Columns of one port in a panel."""
        return tiles.PANEL // self.ports

    @property
    def uses(self) -> tuple[str, ...]:
        """The dot products that it depends on."""
        return dots_of(self.given)

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the kernel's parameters, in order.

        (rows..., weights, out, order, offsets, active, operands..., depth, columns, panels, chosen,
        tokens)
        """
        return (
            *c_types(self.given), "float*", "int32_t*", "int32_t*", "int32_t*",
            *["float*"] * len(self.operands), *["int32_t"] * 5,
        )  # fmt: skip

    def panels(self, columns: int) -> int:
        """Panels of one expert."""
        return -(-columns // self.port_columns)

    def tasks(self, columns: int) -> tuple[int, bool]:
        """Independent tasks, and whether they are to be multiplied by the active experts."""
        return self.panels(columns), self.result != "accumulate"

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        store = f"{name}_store"
        tallest = product_of(self.given, self.tuned.of(isa)).tallest(isa)
        functions = tiles.tile_functions(name, tallest)
        symbols = {isa.symbol(tile): height for tile, height in functions.items()}
        return tiles.Built(
            self._main(isa, symbols), {store: self._store(isa)},
            {
                tile: self._tile(isa, isa.symbol(store), height)
                for tile, height in functions.items()
            },
        )  # fmt: skip

    @property
    def _stored_to(self) -> dict[str, str]:
        """Pointers that the epilogue needs."""
        operands = {f"operand{o.index}": "float32" for o in self.operands}
        return {"out": "float32", "order": "int32", **operands}

    def _main(self, isa: Isa, functions: Mapping[str, int]) -> tirx.PrimFunc:
        """The loops over tasks, experts and tiles."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            product = product_of(self.given, self.tuned.of(isa))
            of_tile = {**product.pointers, **self._stored_to}
            names = {
                **product.pointers, "out": "float32",
                "order": "int32", "offsets": "int32", "active": "int32",
                **{f"operand{o.index}": "float32" for o in self.operands},
            }  # fmt: skip
            buffers, numbers = tiles.parameters(
                names, ("depth", "columns", "panels", "chosen", "tokens")
            )
            depth, columns, panels, chosen, tokens, begin, end = numbers
            offsets, active = buffers["offsets"], buffers["active"]

            def one_expert(expert: Expr, panel: Expr, following: Expr) -> None:
                first = tiles.local(offsets[expert])
                last = tiles.local(offsets[expert + 1])
                addresses = [T.address_of(buffers[n][0]) for n in of_tile]
                tiles.for_tiles(
                    product.tallest(isa), first, last,
                    lambda row, height: tiles.call_tile(
                        functions, height, *addresses, row, first, last, expert, panel, panels,
                        following, depth, columns, chosen, 0,
                    ),
                )  # fmt: skip

            if self.result == "accumulate":
                # A call owns its panels of columns of all tokens: sums need no atomics, and their
                # order (by expert) does not depend on the other tokens. Expert by expert: the rows
                # of one stay in the cache while all panels meet them.
                left = tiles.local(begin * self.port_columns)
                width = tiles.local(tirx.min(columns, end * self.port_columns) - left)
                with T.serial(0, tokens) as t:
                    at = tiles.local(t * columns + left)
                    tiles.for_columns(
                        width, isa.lanes,
                        lambda j, n: tiles.store(
                            buffers["out"], at + j,
                            tiles.splat(tirx.const(0.0, "float32"), n), n,
                        ),
                    )  # fmt: skip
                with T.serial(0, active[0]) as i:
                    expert = tiles.local(active[i + 1])
                    after = tiles.local(active[tirx.min(i + 2, active[0])])
                    with T.serial(begin, end) as task:
                        more = task + 1 < end
                        following = tirx.Select(
                            more, expert * panels + task + 1, after * panels + begin
                        )
                        one_expert(expert, task, tiles.local(following))
            else:
                with T.serial(begin, end) as task:
                    after = tiles.local(tirx.min(task + 1, active[0] * panels - 1))
                    following = active[tirx.truncdiv(after, panels) + 1] * panels
                    one_expert(
                        tiles.local(active[tirx.truncdiv(task, panels) + 1]),
                        tiles.local(tirx.truncmod(task, panels)),
                        tiles.local(following + tirx.truncmod(after, panels)),
                    )
        return builder.get()

    def _tile(self, isa: Isa, store: str, height: int) -> tirx.PrimFunc:
        """`height` sorted rows and a panel of one expert; panel `following` is read after it."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            product = product_of(self.given, self.tuned.of(isa))
            buffers, numbers = tiles.parameters(
                {**product.pointers, **self._stored_to},
                ("row", "first", "last", "expert", "panel", "panels", "following", "depth",
                 "columns", "chosen"),
            )  # fmt: skip
            row, first, last, expert, panel, panels, following = numbers[:7]
            depth, columns, chosen = numbers[7:-2]
            tallest = product.tallest(isa)
            itemsize = tiles.ITEMSIZE[product.pointers["weights"]]
            tuning, block = self.tuned.of(isa), (row, first, last)

            def source_of(row: Expr) -> Expr:
                if self.source == "sorted":
                    return row
                slot = buffers["order"][row]
                return self._token(slot, chosen) if self.source == "token" else slot

            def fetching(start: Expr, size: Expr) -> Fetch:
                return fetch_for(
                    buffers["weights"], itemsize, tuning, (height, tallest), block, start,
                    following * size, size,
                )  # fmt: skip

            rows = [tiles.local(source_of(row + i)) for i in range(height)]
            number = tiles.local(expert * panels + panel)
            values = product.emit(isa, buffers, rows, depth, number, fetching)
            addresses = [T.address_of(buffers[n][0]) for n in self._stored_to]
            tiles.call(store, values, *addresses, row, panel, columns, expert, chosen, 0, height)
        return builder.get()

    def _token(self, slot: Expr, chosen: Expr) -> Expr:
        """The token of a slot; both are at least 0."""
        if not self.known_chosen:
            return tirx.truncdiv(slot, chosen)
        known = tirx.const(self.known_chosen, "uint32")
        return tirx.Cast("int32", tirx.truncdiv(tirx.Cast("uint32", slot), known))

    def _store(self, isa: Isa) -> tirx.PrimFunc:
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"values": "float32", "out": "float32", "order": "int32"}
            names.update({f"operand{o.index}": "float32" for o in self.operands})
            buffers, numbers = tiles.parameters(
                names, ("row", "panel", "columns", "expert", "chosen")
            )
            row, panel, columns, expert, chosen, begin, end = numbers
            width = tiles.local(tirx.min(columns - panel * self.port_columns, self.port_columns))
            with T.serial(begin, end) as i:
                slot = tiles.local(buffers["order"][row + i])
                token = tiles.local(self._token(slot, chosen))
                target = {"sorted": row + i, "slot": slot, "accumulate": token}[self.result]
                target = tiles.local(target)

                def vector(j: Expr, lanes: int) -> None:
                    column = tiles.local(panel * self.port_columns + j)
                    index = {
                        "full": tiles.local(slot * columns + column),
                        "token": tiles.local(token * columns + column),
                        "token_row": token,
                        "expert_column": tiles.local(expert * columns + column),
                        "column": column,
                        "row": slot,
                        "scalar": tirx.const(0, "int32"),
                    }

                    def leaf(node: ex.Port | ex.Operand) -> Expr:
                        if isinstance(node, ex.Port):
                            at = i * tiles.PANEL + node.index * self.port_columns + j
                            return tiles.load(buffers["values"], at, lanes)
                        return tiles.operand(
                            buffers[f"operand{node.index}"], node.indexing, index, lanes
                        )

                    value = ex.evaluate(self.epilogue, leaf, lanes)
                    at = tiles.local(target * columns + column)
                    if self.result == "accumulate":
                        value = tiles.load(buffers["out"], at, lanes) + value
                    tiles.store(buffers["out"], at, value, lanes)

                wide.for_panel(width, self.port_columns, isa.lanes, vector)
        return builder.get()
