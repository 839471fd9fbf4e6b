"""`topk`: the k largest or smallest of each row, sorted, with their numbers.

Ties go to the lower number, as ONNX says. TVM's own operator calls into its runtime library.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("TopK",)

_C_TYPES = {"float32": "float*", "float64": "double*", "int32": "int32_t*", "int64": "int64_t*"}


@dataclass(frozen=True)
class TopK:
    """The kernel for one dtype and direction; one task per row."""

    dtype: str
    largest: bool

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, values, indices, taken, width, k)."""
        kind = _C_TYPES[self.dtype]
        return (kind, kind, "int64_t*", "int8_t*", "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (width, k, begin, end) = tiles.parameters(
                {"x": self.dtype, "values": self.dtype, "indices": "int64", "taken": "int8"},
                ("width", "k"),
            )
            x, taken = buffers["x"], buffers["taken"]
            with T.serial(begin, end) as row:
                start = tiles.local(row * width)
                with T.serial(0, width) as j:
                    T.buffer_store(taken, tirx.const(0, "int8"), [start + j])
                with T.serial(0, k) as rank:
                    best = T.alloc_buffer((1,), "int32")
                    T.buffer_store(best, -1, [0])
                    with T.serial(0, width) as j:
                        one, other = x[start + j], x[start + tirx.max(best[0], 0)]
                        better = one > other if self.largest else one < other
                        free = tirx.EQ(taken[start + j], tirx.const(0, "int8"))
                        with T.If(tirx.all(free, tirx.any(best[0] < 0, better))), T.Then():
                            T.buffer_store(best, j, [0])
                    T.buffer_store(taken, tirx.const(1, "int8"), [start + best[0]])
                    T.buffer_store(buffers["values"], x[start + best[0]], [row * k + rank])
                    T.buffer_store(
                        buffers["indices"], tirx.Cast("int64", best[0]), [row * k + rank]
                    )
        return tiles.Built(builder.get())


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
    taken = site.program.buffer(f"{site.node.name}.taken", "int8", shape)
    largest = bool(graph_facts.attribute(site.node, "largest", 1))
    site.program.step(
        TopK(str(x.dtype.numpy().name), largest), "topk",
        [*site.pointers([x]), *(Pointer(b) for b in site.outputs), Pointer(taken), shape[-1], k],
        tasks=rows, label=f"top {k} of {rows} rows of {shape[-1]}", origin=site.origin,
        nodes=site.nodes, nbytes=size_of(shape) * 5 + rows * k * 12,
        reason="a selection that belongs to no router that was understood",
    )  # fmt: skip
