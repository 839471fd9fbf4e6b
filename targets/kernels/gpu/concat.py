"""`concat` of many tensors on a GPU: each is copied to its place.

Joined in one kernel, as TVM does it, they need a binding each, and WebGPU promises eight.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer
from edgemoe.targets.gpu.narrow import STORED, SUPPORTED
from edgemoe.targets.gpu.program import program_at
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("Concat",)

MANY = 8
"""Tensors that do not fit a kernel of eight bindings together with their result."""


@dataclass(frozen=True)
class Place:
    """`rows` rows of `width` words into rows of `total` words, `start` words from their begin."""

    rows: int
    width: int
    total: int
    start: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out)."""
        return ("int32_t*", "int32_t*")

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return -(-self.rows * self.width // self.threads)

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device

        def body(at: grid.Grid) -> None:
            i = register(at.group * self.threads + at.thread)
            with grid.when(i < self.rows * self.width):
                row = tirx.truncdiv(i, self.width)
                place = row * self.total + self.start + tirx.truncmod(i, self.width)
                T.buffer_store(at.buffers["out"], at.buffers["x"][i], [place])

        names = {"x": "int32", "out": "int32"}
        return grid.kernel(names, self.groups, self.threads, body)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether many tensors are joined, of a dtype that GPUs store in words."""
    del function
    dtype = node.outputs[0].dtype
    name = "" if dtype is None else str(dtype.numpy().name)
    return len(node.inputs) >= MANY and STORED.get(name, name) in SUPPORTED - {"float16"}


def lower(site: Site) -> None:
    """Append a copy for each tensor."""
    (out,), node = site.outputs, site.node
    result = shape_of(node.outputs[0])
    axis = graph_facts.axis_of(node, 0, len(result))
    rows, inner, start = size_of(result[:axis]), size_of(result[axis + 1 :]), 0
    for value in node.inputs:
        assert value is not None
        width = shape_of(value)[axis] * inner
        if not rows * width:
            continue
        call = Call(None, (), 1, (), program_at(site).gpu)
        spec = Place(rows, width, result[axis] * inner, start, call.threads(rows * width))
        program_at(site).step(
            spec, "concat", [*site.pointers([value]), Pointer(out)], origin=site.origin,
            nodes=site.nodes, label=f"{rows} rows of {width} words to their place",
            nbytes=8 * rows * width, reason=f"one of {len(node.inputs)} tensors that are joined",
        )  # fmt: skip
        start += width
