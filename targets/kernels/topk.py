"""`topk`: the k largest or smallest of each row, sorted, with their numbers.

The results so far are kept in order, where they belong. Vectors of candidates are compared with
the worst of them, and few are better: about k ln(n / k) of n in random order. Ties go to the lower
number, as ONNX says; NaN counts as larger than every number, as in onnxruntime. TVM's own operator
calls into its runtime library.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.vector_math import across, is_nan, register, typed
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("TopK",)

BLOCK = 4
"""Vectors that are compared before anybody looks at the result."""

_C_TYPES = {"float32": "float*", "float64": "double*", "int32": "int32_t*", "int64": "int64_t*"}


@dataclass(frozen=True)
class TopK:
    """The kernel for one dtype and direction; one task per row."""

    dtype: str
    largest: bool

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, values, indices, width, k)."""
        kind = _C_TYPES[self.dtype]
        return (kind, kind, "int64_t*", "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"x": self.dtype, "values": self.dtype, "indices": "int64"}
            buffers, (width, k, begin, end) = tiles.parameters(names, ("width", "k"))
            with T.serial(begin, end) as row:
                self._row(isa, buffers, tiles.local(row * width), tiles.local(row * k), width, k)
        return tiles.Built(builder.get())

    def _row(
        self, isa: Isa, buffers: dict[str, tirx.Var], start: Expr, out: Expr, width: Expr, k: Expr
    ) -> None:
        x, worst = buffers["x"], tiles.local(out + k - 1)
        with T.serial(0, k) as j:
            self._insert(buffers, start, out, j, j)
        block = BLOCK * isa.lanes
        whole = tiles.local(tirx.truncdiv(width - k, block))
        with T.serial(0, whole) as number:
            first = tiles.local(k + number * block)
            bound = register(tiles.splat(buffers["values"][worst], isa.lanes))
            better = [
                tirx.Cast(
                    typed("int32", isa.lanes),
                    self._better(
                        register(tiles.load(x, start + first + v * isa.lanes, isa.lanes)), bound
                    ),
                )
                for v in range(BLOCK)
            ]
            with T.If(across(better, lambda a, b: a | b) > 0), T.Then(), T.serial(0, block) as j:
                self._consider(buffers, start, out, worst, tiles.local(first + j), k)
        done = tiles.local(k + whole * block)
        with T.serial(0, width - done) as j:
            self._consider(buffers, start, out, worst, tiles.local(done + j), k)

    def _consider(
        self, buffers: dict[str, tirx.Var], start: Expr, out: Expr, worst: Expr, j: Expr, k: Expr
    ) -> None:
        """Take element j of the row in if it is better than the worst of k."""
        value = register(buffers["x"][start + j])
        bound = register(buffers["values"][worst])
        with T.If(self._better(value, bound)), T.Then():
            self._insert(buffers, start, out, j, tiles.local(k - 1))

    def _insert(
        self, buffers: dict[str, tirx.Var], start: Expr, out: Expr, j: Expr, last: Expr
    ) -> None:
        """Put element j where it belongs among the results before `last`, which is overwritten."""
        values, indices = buffers["values"], buffers["indices"]
        value = register(buffers["x"][start + j])
        at = T.alloc_buffer((1,), "int32")
        T.buffer_store(at, out + last, [0])
        before = tirx.max(at[0] - 1, out)  # is read before the condition is known
        with T.While(tirx.all(at[0] > out, self._better(value, values[before]))):
            T.buffer_store(values, values[at[0] - 1], [at[0]])
            T.buffer_store(indices, indices[at[0] - 1], [at[0]])
            T.buffer_store(at, at[0] - 1, [0])
        T.buffer_store(values, value, [at[0]])
        T.buffer_store(indices, tirx.Cast("int64", j), [at[0]])

    def _better(self, one: Expr, other: Expr) -> Expr:
        """Whether the first goes before the second; equal ones stay in their order."""
        if not self.largest:
            one, other = other, one
        larger = one > other
        if self.dtype.startswith("float"):
            larger = tirx.Or(larger, tirx.And(is_nan(one), tirx.Not(is_nan(other))))
        return larger


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the node takes a constant number from the last axis."""
    del function
    x, shape = node.inputs[0], graph_facts.shape_of(node.inputs[0])
    if x is None or not shape or x.dtype is None or len(node.outputs) != 2:
        return False
    count = graph_facts.ints_of(node.inputs[1])
    return (
        count is not None and 0 < count[0] <= shape[-1] and size_of(shape) > 0
        and graph_facts.axis_of(node, -1, len(shape)) == len(shape) - 1
        and str(x.dtype.numpy().name) in _C_TYPES
    )  # fmt: skip


def lower(site: Site) -> None:
    """Append the selection to the program."""
    x = site.node.inputs[0]
    assert x is not None and x.dtype is not None
    shape = shape_of(x)
    k = (graph_facts.ints_of(site.node.inputs[1]) or [0])[0]
    rows = size_of(shape[:-1])
    largest = bool(graph_facts.attribute(site.node, "largest", 1))
    site.program.step(
        TopK(str(x.dtype.numpy().name), largest), "topk",
        [*site.pointers([x]), *(Pointer(b) for b in site.outputs), shape[-1], k],
        tasks=rows, label=f"top {k} of {rows} rows of {shape[-1]}", origin=site.origin,
        nodes=site.nodes, nbytes=size_of(shape) * 4 + rows * k * 12,
        reason="a selection that belongs to no router that was understood",
    )  # fmt: skip
