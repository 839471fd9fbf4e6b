"""`row_dots` and `row_sum`: products with rows of a table that are chosen for each token (PEER).

Rows are read where they lie: K of N rows for each token, nothing else of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Region
from edgemoe.targets.kernels import reduce
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.site import Site, shape_of
from edgemoe.targets.spec import Isa

HANDLES = ("RowDots", "RowSum")


@dataclass(frozen=True)
class GatheredRows:
    """The kernel; one task per token.

    `dots`: out[t,j] = a[t] . table[ids[t,j]]; `sum`: out[t] = sum of a[t,j] * table[ids[t,j]].
    """

    what: Literal["dots", "sum"]

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (a, ids, table, out, width, chosen)."""
        return ("float*", "int64_t*", "float*", "float*", "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"a": "float32", "ids": "int64", "table": "float32", "out": "float32"}
            buffers, (width, chosen, begin, end) = tiles.parameters(names, ("width", "chosen"))
            with T.serial(begin, end) as token:
                if self.what == "dots":
                    self._dots(isa, buffers, token, width, chosen)
                else:
                    self._sum(isa, buffers, token, width, chosen)
        return tiles.Built(builder.get())

    @staticmethod
    def _row(buffers: dict[str, tirx.Var], slot: Expr, width: Expr) -> Expr:
        # 64-bit: a table may have more than 2^31 elements.
        return buffers["ids"][slot] * tirx.Cast("int64", width)

    def _dots(
        self, isa: Isa, buffers: dict[str, tirx.Var], token: Expr, width: Expr, chosen: Expr
    ) -> None:
        at = tiles.local(token * width)
        with T.serial(0, chosen) as j:
            slot = tiles.local(token * chosen + j)
            row = self._row(buffers, slot, width)

            def element(column: Expr, lanes: int, row: Expr = row) -> Expr:
                x = tiles.load(buffers["a"], at + column, lanes)
                start = row + tirx.Cast("int64", column)
                return x * tiles.load(buffers["table"], start, lanes)

            total = reduce.reduce_row(width, isa.lanes, 0.0, reduce.add, element)
            T.buffer_store(buffers["out"], total, [slot])

    def _sum(
        self, isa: Isa, buffers: dict[str, tirx.Var], token: Expr, width: Expr, chosen: Expr
    ) -> None:
        at = tiles.local(token * width)

        def zero(column: Expr, lanes: int) -> None:
            nothing = tiles.splat(tirx.const(0.0, "float32"), lanes)
            tiles.store(buffers["out"], at + column, nothing, lanes)

        tiles.for_columns(width, isa.lanes, zero)
        with T.serial(0, chosen) as j:
            slot = tiles.local(token * chosen + j)
            row = self._row(buffers, slot, width)

            def add(column: Expr, lanes: int, slot: Expr = slot, row: Expr = row) -> None:
                weight = tiles.splat(buffers["a"][slot], lanes)
                start = row + tirx.Cast("int64", column)
                value = weight * tiles.load(buffers["table"], start, lanes)
                total = tiles.load(buffers["out"], at + column, lanes) + value
                tiles.store(buffers["out"], at + column, total, lanes)

            tiles.for_columns(width, isa.lanes, add)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the table is a float32 constant."""
    del function
    table = node.inputs[2]
    return (
        graph_facts.is_constant(table) and table is not None and (table.dtype == ir.DataType.FLOAT)
    )


def lower(site: Site) -> None:
    """Append the product to the program; its rows count as experts of one product."""
    a, ids, table = site.node.inputs
    assert a is not None and ids is not None and table is not None
    spec = GatheredRows("dots" if graph_facts.kind_of(site.node) == "RowDots" else "sum")
    (tokens, chosen), (rows, width) = shape_of(ids), shape_of(table)
    macs = tokens * chosen * width
    step = site.program.step(
        spec, "gathered_rows",
        [*site.pointers([a, ids, table]), Pointer(site.outputs[0]), width, chosen],
        tasks=tokens, label=f"{spec.what} of {chosen} of {rows} rows x {width}",
        origin=site.origin, nodes=site.nodes, macs=macs, nbytes=4 * macs,
        reason="rows are read where they lie", region=len(site.program.regions),
    )  # fmt: skip
    site.program.regions.append(
        Region(
            name=str(site.node.name or site.node.op_type), origin=site.origin, routing="indexed",
            buffer=site.buffer(ids), routed_at=step, tokens=tokens, experts=rows, chosen=chosen,
            expert_bytes=4 * width, expert_macs=width,
        )
    )  # fmt: skip
