"""`MatMul` and `MatMulInPlace` of an integer program: rows of a times columns of int8 b."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.activations import Operands, four, single
from edgemoe.targets.kernels.integer.cores import COLUMNS, local, zeros
from edgemoe.targets.kernels.integer.finish import SCALING, limited, rescale
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, number_of, scaling_of, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.MatMul", "edgemoe.integer.MatMulInPlace")

PLACES = (
    "rows", "columns", "depth", "matrix_a", "row_a", "group", "matrix_b", "column_b", "depth_b",
)  # fmt: skip
"""Extents and strides, see `operators.mat_mul_in_place`."""


@dataclass(frozen=True)
class MatMul(IntegerKernel):
    """The kernel for one `core`; one task per row of a.

    The elements of a column of b follow each other where it is `contiguous`; those of a row of b
    do where it is `beside`.
    """

    core: str
    a: str
    out: str
    contiguous: bool
    beside: bool

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"a": self.a, "b": "int8", "out": self.out}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return (*PLACES, "multiplier", *SCALING)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row of a."""
        one = tirx.const(1, "int32")
        column_step = one if self.beside else n["column_b"]
        along = one if self.contiguous else n["depth_b"]
        whole = local(tirx.truncdiv(n["columns"], COLUMNS))
        with T.serial(n["begin"], n["end"]) as task:
            matrix = local(tirx.truncdiv(task, n["rows"]))
            row = local(task - matrix * n["rows"])
            start = local(matrix * n["matrix_a"] + row * n["row_a"])
            other = local(tirx.truncdiv(matrix, n["group"]) * n["matrix_b"])
            to = local(task * n["columns"])

            def operands(column: Expr, start: Expr = start, other: Expr = other) -> Operands:
                return Operands(
                    buffers["a"], self.a, start, buffers["b"],
                    local(other + column * column_step), column_step, along, n["depth"],
                )  # fmt: skip

            def store(sums: tirx.Var, count: int, column: Expr, to: Expr = to) -> None:
                for j in range(count):
                    value = rescale(sums[j], n["multiplier"], n["left"], n["right"])
                    result = limited(value + n["zero"], n["low"], n["high"], self.out)
                    T.buffer_store(buffers["out"], result, [to + column + j])

            done: Expr = tirx.const(0, "int32")
            if self.contiguous or self.beside:
                with T.serial(0, whole) as panel:
                    column = local(panel * COLUMNS)
                    sums = four(self.core, operands(column), self.contiguous)
                    store(sums, COLUMNS, column)
                done = whole * COLUMNS
            with T.serial(0, n["columns"] - done) as rest:
                column = local(done + rest)
                sums = zeros(1)
                single(operands(column), sums, 1, 0)
                store(sums, 1, column)


def lower(site: Site) -> None:
    """Append the product."""
    node = site.node
    a, b, multiplier = taken(node, 3)
    n = _places(site.node, a, b)
    matrices, rows, columns, depth = (n[k] for k in ("matrices", "rows", "columns", "depth"))
    along, beside = n["depth_b"] == 1, n["column_b"] == 1
    site.step(
        MatMul(site.program.core, dtype_of(a), dtype_of(node.outputs[0]), along, beside), "matmul",
        [*site.pointers([a, b]), Pointer(site.outputs[0]), *(n[name] for name in PLACES),
         number_of(multiplier), *scaling_of(node)],
        tasks=matrices * rows, label=f"{matrices} x {rows}x{depth} by {depth}x{columns}",
        macs=matrices * rows * depth * columns,
        nbytes=matrices * (rows + columns) * depth, reason="integer product of activations",
    )  # fmt: skip


def _places(node: ir.Node, a: ir.Value, b: ir.Value) -> dict[str, int]:
    """Extents and strides of both operands."""
    if node.op_type == "MatMulInPlace":
        return {name: integer(node, name) for name in ("matrices", *PLACES)}
    (*lead, rows, depth), (*others, columns, _) = shape_of(a), shape_of(b)
    matrices, repeats = size_of(tuple(lead)), size_of(tuple(others))
    if tuple(lead) != tuple(others) and repeats != 1:
        raise AssertionError(f"{node.name}: batches {lead} and {others}")
    return {
        "matrices": matrices, "rows": rows, "columns": columns, "depth": depth,
        "matrix_a": rows * depth, "row_a": depth, "group": matrices // repeats,
        "matrix_b": columns * depth, "column_b": depth, "depth_b": 1,
    }  # fmt: skip
