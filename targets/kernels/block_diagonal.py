"""`block_diagonal`: every part of the rows times a constant matrix of its own.

out[.., k, q] = sum over p of x[.., k, p] * w[k, p, q]

A Monarch factor (Fu et al., 2023, section 3) between its permutations, and any batched product with
constant matrices: the parts lie one behind the other in a row, or in matrices of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, WeightSection
from edgemoe.targets.kernels import mix_tile
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.panels import pack_lines
from edgemoe.targets.site import Site, reader, size_of
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import F32

ROW_BLOCK = 96
"""Rows of one task."""


@dataclass(frozen=True)
class Form:
    """A product as [outer, parts, rows, depth] x [parts, depth, columns], and how `w` is turned.

    `inside` when the parts of a row lie one behind the other: [rows, parts, depth].
    """

    outer: int
    parts: int
    rows: int
    depth: int
    columns: int
    order: tuple[int, int, int]  # the axes of the weight for [parts, depth, columns]
    inside: bool


@dataclass(frozen=True)
class BlockDiagonal:
    """The kernel; a task is a block of rows, one part and one panel of columns."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, weights, out, parts, rows, depth, columns, is each part in the row)."""
        return ("float*",) * 3 + ("int32_t",) * 5

    def tasks(self, form: Form) -> int:
        """Number of independent tasks."""
        panels = form.columns // tiles.PANEL
        return form.outer * form.parts * panels * -(-form.rows // ROW_BLOCK)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        tile = f"{name}_tile"
        return tiles.Built(
            self._main(isa, isa.symbol(tile)), {tile: mix_tile.function(isa, [], packed=True)}
        )

    def _main(self, isa: Isa, tile: str) -> tirx.PrimFunc:
        height, width = mix_tile.height_of(isa), mix_tile.width_of(isa)
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["x", "weights", "out"]
            buffers, (parts, rows, depth, columns, inside, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("parts", "rows", "depth", "columns", "inside")
            )
            blocks = tiles.local(tiles.row_blocks(rows, ROW_BLOCK))
            each = tiles.local(tirx.truncdiv(rows + blocks - 1, blocks))
            panels = tiles.local(tirx.truncdiv(columns, tiles.PANEL))
            x_stride = tiles.local(tirx.Select(inside > 0, parts * depth, depth))
            out_stride = tiles.local(tirx.Select(inside > 0, parts * columns, columns))
            with T.serial(begin, end) as task:
                block = tiles.local(tirx.truncmod(task, blocks))
                panel = tiles.local(tirx.truncmod(tirx.truncdiv(task, blocks), panels))
                matrix = tiles.local(tirx.truncdiv(task, blocks * panels))
                part = tiles.local(tirx.truncmod(matrix, parts))
                before = tiles.local((matrix - part) * rows)  # rows of parts of other matrices
                skip = tiles.local(tirx.Select(inside > 0, part, part * rows))
                first = tiles.local(tirx.min(rows, block * each))
                last = tiles.local(tirx.min(rows, first + each))
                size = tiles.local(depth * tiles.PANEL)
                start = tiles.local((part * panels + panel) * size)
                with T.serial(0, tiles.PANEL // width) as strip:
                    column = tiles.local(panel * tiles.PANEL + strip * width)
                    b = tiles.local(start + strip * depth * width)

                    def rows_of_tile(row: Expr, count: int) -> None:
                        places = {
                            "x": (before + skip) * depth + row * x_stride,
                            "weights": b,
                            "out": (before + skip) * columns + row * out_stride + column,
                        }
                        line = tirx.const(mix_tile.LINE, "int32")
                        ahead = T.address_of(buffers["weights"][b + size])
                        mix_tile.call(
                            tile, buffers, places, [], {},
                            [depth, x_stride, line, out_stride, tirx.const(8, "int32")], count,
                            ahead,
                        )  # fmt: skip

                    tiles.for_row_blocks(height, first, last, rows_of_tile)
        return builder.get()


HANDLES = ("Einsum", "MatMul")


def _form(node: ir.Node) -> Form | None:
    if len(node.inputs) != 2:
        return None
    x, weight = node.inputs
    shape, matrices = graph_facts.shape_of(x), graph_facts.shape_of(weight)
    if x is None or shape is None or matrices is None or x.dtype != ir.DataType.FLOAT:
        return None
    if not graph_facts.is_constant(weight) or graph_facts.is_constant(x) or len(matrices) != 3:
        return None
    found = _of_einsum(node, shape, matrices) if node.op_type == "Einsum" else (
        _of_matmul(shape, matrices)
    )  # fmt: skip
    return found if found is not None and found.columns % tiles.PANEL == 0 else None


def _of_matmul(shape: tuple[int, ...], matrices: tuple[int, ...]) -> Form | None:
    parts, depth, columns = matrices
    if len(shape) < 3 or shape[-3] != parts:
        return None
    return Form(size_of(shape[:-3]), parts, shape[-2], depth, columns, (0, 1, 2), inside=False)


def _of_einsum(node: ir.Node, shape: tuple[int, ...], matrices: tuple[int, ...]) -> Form | None:
    """..kp,{kqp in any order}->..kq: the parts of a row; or k..p -> k..q with p, q last."""
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    if equation.count(",") != 1 or "->" not in equation or "." in equation:
        return None
    left, right, result = equation.replace("->", ",").split(",")
    if len(set(left)) != len(left) or len(left) < 3 or len(set(right)) != 3 or len(right) != 3:
        return None
    depth, column = left[-1], result[-1:]
    rest = set(right) - {depth, column}
    if len(rest) != 1 or result != left[:-1] + column:
        return None
    (part,) = rest
    if part not in left or column in left or depth not in right:
        return None
    order = (right.index(part), right.index(depth), right.index(column))
    parts, size, columns = (matrices[i] for i in order)
    at = left.index(part)
    if at == len(left) - 2:
        return Form(1, parts, size_of(shape[:at]), size, columns, order, inside=True)
    rows = size_of(shape[at + 1 : -1])
    return Form(size_of(shape[:at]), parts, rows, size, columns, order, inside=False)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the node multiplies parts of its rows by constant matrices."""
    return function is None and _form(node) is not None


def lower(site: Site) -> None:
    """Append the product to the program."""
    form = _form(site.node)
    x, weight = site.node.inputs
    assert form is not None and x is not None and weight is not None
    read = reader(weight)

    def packed() -> np.ndarray:
        return np.concatenate(
            [pack_lines(matrix.T, F32) for matrix in read().transpose(form.order)]
        )

    nbytes = 4 * form.parts * form.depth * form.columns
    section = WeightSection(str(weight.name), 0, nbytes, "linear", None, "float32")
    digest = site.program.weights.digest(weight.const_value, read)
    weights = site.program.packed(
        str(weight.name), ("block_diagonal", form.order, digest), [(section, packed)]
    )
    spec = BlockDiagonal()
    rows = form.outer * form.rows
    (out,) = site.outputs
    site.program.step(
        spec, "block_diagonal",
        [*site.pointers([x]), Pointer(weights), Pointer(out), form.parts, form.rows, form.depth,
         form.columns, int(form.inside)],
        tasks=spec.tasks(form), macs=rows * form.parts * form.depth * form.columns,
        label=f"{rows} rows of {form.parts} parts of {form.depth} -> {form.columns}",
        origin=site.origin, nodes=site.nodes,
        nbytes=4 * rows * form.parts * (form.depth + form.columns) + nbytes,
        reason="a constant matrix per part",
    )  # fmt: skip
