"""`cumsum`: running sums along one axis, in the order of the axis."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer
from edgemoe.targets.generic import c_pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("CumSum",)

_DTYPES = frozenset({"float32", "float64", "int32", "int64"})


@dataclass(frozen=True)
class CumSum:
    """The kernel; one task per line along the axis."""

    dtype: str
    exclusive: bool
    reverse: bool

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out, length of the axis, elements between neighbours along it)."""
        return (c_pointer(self.dtype), c_pointer(self.dtype), "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (length, stride, begin, end) = tiles.parameters(
                {"x": self.dtype, "out": self.dtype}, ("length", "stride")
            )
            with T.serial(begin, end) as line:
                block = tiles.local(tirx.truncdiv(line, stride))
                start = tiles.local(block * length * stride + tirx.truncmod(line, stride))
                total = T.alloc_buffer((1,), self.dtype)
                T.buffer_store(total, tirx.const(0, self.dtype), [0])
                with T.serial(0, length) as j:
                    place = length - 1 - j if self.reverse else j
                    at = tiles.local(start + place * stride)
                    element = register(buffers["x"][at])
                    before = register(total[0])
                    T.buffer_store(total, before + element, [0])
                    T.buffer_store(buffers["out"], before if self.exclusive else total[0], [at])
        return tiles.Built(builder.get())


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the axis is constant and the dtype one that the kernel has."""
    del function
    x, axis = node.inputs
    shape = graph_facts.shape_of(x)
    return (
        x is not None and x.dtype is not None and bool(shape) and size_of(shape or ()) > 0
        and graph_facts.ints_of(axis) is not None and str(x.dtype.numpy().name) in _DTYPES
    )  # fmt: skip


def lower(site: Site) -> None:
    """Append the sums to the program."""
    x, axis = site.node.inputs
    assert x is not None and x.dtype is not None
    shape = shape_of(x)
    place = (graph_facts.ints_of(axis) or [0])[0] % len(shape)
    (source,) = site.pointers([x])
    (out,) = site.outputs
    kernel = CumSum(
        str(x.dtype.numpy().name),
        bool(graph_facts.attribute(site.node, "exclusive", 0)),
        bool(graph_facts.attribute(site.node, "reverse", 0)),
    )
    lines = size_of(shape) // shape[place]
    site.program.step(
        kernel, "cumsum", [source, Pointer(out), shape[place], size_of(shape[place + 1 :])],
        in_place=[(out, source.buffer)], tasks=lines,
        label=f"running sums of {lines} lines of {shape[place]}", origin=site.origin,
        nodes=site.nodes, nbytes=2 * size_of(shape) * int(x.dtype.itemsize),
        reason="running sums along one axis",
    )  # fmt: skip
