"""`rotary`: turns the columns of heads by the angles of their positions, in one pass.

See `edgemoe.rotary_form.Rotary` for the formula. x is read through strides, so that the transpose
of a projection costs nothing; the result is contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import rotary_form
from edgemoe.plan import Pointer
from edgemoe.strided_view import View
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.vector_math import lanes_of, register
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

STRIDES = tuple(
    f"{tensor}_{axis}" for tensor in ("x", "cos", "sin") for axis in ("batch", "head", "row")
)
"""Element strides, in the order of the kernel's integers; the last axis is contiguous."""


@dataclass(frozen=True)
class Rotary:
    """What distinguishes one kernel from another; one task per position, for all heads."""

    partner: rotary_form.Partner
    narrow: bool

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, cos, sin, out, offset, heads, rows, turned, width, strides)."""
        return ("float*",) * 4 + ("int32_t",) * (5 + len(STRIDES))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = dict.fromkeys(("x", "cos", "sin", "out"), "float32")
            integers = ("offset", "heads", "rows", "turned", "width", *STRIDES)
            buffers, numbers = tiles.parameters(names, integers)
            number = dict(zip(integers, numbers, strict=False))
            begin, end = numbers[-2:]
            with T.serial(begin, end) as task:
                row = tiles.local(tirx.truncmod(task, number["rows"]))
                batch = tiles.local(tirx.truncdiv(task, number["rows"]))
                start = {
                    tensor: tiles.local(
                        batch * number[f"{tensor}_batch"] + row * number[f"{tensor}_row"]
                    )
                    for tensor in ("x", "cos", "sin")
                }
                start["x"] = tiles.local(start["x"] + number["offset"])
                half = tiles.local(tirx.truncdiv(number["turned"], 2))
                with T.serial(0, number["heads"]) as head:
                    at = {
                        tensor: tiles.local(first + head * number[f"{tensor}_head"])
                        for tensor, first in start.items()
                    }
                    line = (batch * number["heads"] + head) * number["rows"] + row
                    at["out"] = tiles.local(line * number["width"])
                    self.head(isa, buffers, at, half, number["turned"], number["width"])
        return tiles.Built(builder.get())

    def head(
        self, isa: Isa, buffers: dict[str, tirx.Var], at: dict[str, Expr], half: Expr,
        turned: Expr, width: Expr,
    ) -> None:  # fmt: skip
        """Emit one row of a head: x, cos and sin at their places to `out` at its own."""
        if self.partner == "half":
            self._halves(isa, buffers, at, half)
        else:
            self._pairs(isa, buffers, at, half)
        tiles.for_columns(
            width - turned, isa.lanes,
            lambda j, n: tiles.store(
                buffers["out"], at["out"] + turned + j,
                tiles.load(buffers["x"], at["x"] + turned + j, n), n,
            ),
        )  # fmt: skip

    def _halves(
        self, isa: Isa, buffers: dict[str, tirx.Var], at: dict[str, Expr], half: Expr
    ) -> None:
        def turn(j: Expr, n: int) -> None:
            def read(tensor: str, column: Expr) -> Expr:
                return register(tiles.load(buffers[tensor], at[tensor] + column, n))

            after = j if self.narrow else tiles.local(j + half)
            a, b = read("x", j), read("x", j + half)
            first = a * read("cos", j) - b * read("sin", j)
            second = b * read("cos", after) + a * read("sin", after)
            tiles.store(buffers["out"], at["out"] + j, first, n)
            tiles.store(buffers["out"], at["out"] + half + j, second, n)

        tiles.for_columns(half, isa.lanes, turn)

    def _pairs(
        self, isa: Isa, buffers: dict[str, tirx.Var], at: dict[str, Expr], half: Expr
    ) -> None:
        def turn(j: Expr, n: int) -> None:
            """Pairs j to j + n, 2 n columns."""
            lanes = 2 * n
            x = register(tiles.load(buffers["x"], at["x"] + j * 2, lanes))
            swapped = _shuffle(x, [i ^ 1 for i in range(lanes)])
            tables = []
            for tensor in ("cos", "sin"):
                width, start = (n, j) if self.narrow else (lanes, j * 2)
                table = register(tiles.load(buffers[tensor], at[tensor] + start, width))
                tables.append(
                    _shuffle(table, [i // 2 for i in range(lanes)]) if self.narrow else table
                )
            cos, sin = tables
            even = tirx.EQ(
                T.ramp(0, 1, lanes) & tirx.Broadcast(tirx.const(1, "int32"), lanes),
                tirx.Broadcast(tirx.const(0, "int32"), lanes),
            )
            zero = tirx.Broadcast(tirx.const(0.0, "float32"), lanes)
            sign = tirx.Select(even, zero - sin, sin)
            tiles.store(buffers["out"], at["out"] + j * 2, x * cos + swapped * sign, lanes)

        tiles.for_columns(half, isa.lanes // 2, turn)


def _shuffle(value: Expr, picks: list[int]) -> Expr:
    if lanes_of(value) == 1:
        return tirx.Broadcast(value, len(picks))
    numbers = [tirx.const(pick, "int32") for pick in picks]
    # TVM wants no more results than there are elements, so that the table is given twice.
    return register(tirx.Shuffle([value] * -(-len(picks) // lanes_of(value)), numbers))


HANDLES = ("Rotary",)


def read(function: ir.Function) -> rotary_form.Rotary | None:
    """The rotary embedding of a region."""
    end = function.outputs[0].producer()
    return None if end is None else rotary_form.match(end)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region is a rotary embedding that the kernel computes."""
    del node
    return function is not None and read(function) is not None


def lower(site: Site) -> None:
    """Append the rotary embedding to the program, or leave it to the step that reads it."""
    from edgemoe.targets.kernels import turned_rows

    assert site.function is not None
    if turned_rows.left_to_reader(site):
        return
    found = read(site.function)
    assert found is not None
    shape = shape_of(site.node.outputs[0])
    rank = len(shape)
    heads, rows = (1, 1, *shape[:-1])[-2:]
    views = [found.x, *(rotary_form.table_view(t, rank) for t in (found.cos, found.sin))]
    pointers = site.pointers([view.base for view in views])
    lines = size_of(shape[:-1])
    site.program.step(
        Rotary(found.partner, found.narrow), "rotary",
        [*pointers, Pointer(site.outputs[0]), found.offset, heads, rows, found.turned, shape[-1],
         *(stride for view in views for stride in strides_of(view))],
        tasks=lines // heads, label=f"rotary embedding of {lines} rows of {shape[-1]}",
        origin=site.origin, nodes=site.nodes, nbytes=8 * size_of(shape),
        reason=f"turns by {found.partner}",
    )  # fmt: skip


def strides_of(view: View) -> list[int]:
    """Strides of batch, head and row; missing dimensions have stride 0."""
    found = [view.stride(axis) or 0 for axis in range(len(view.dims) - 1)]
    return [0] * (3 - len(found)) + found
