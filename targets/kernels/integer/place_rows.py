"""`PlaceRows`: a strip of rows becomes part of a tensor that is made of strips.

Of integers and of floats: bytes are copied. The result is the tensor of the strip before, changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import local, pointer
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import integer
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("edgemoe.integer.PlaceRows",)

WRITES_INTO = 1
"""The input whose memory the result is, where there is one (see `lowering.append`)."""


@dataclass(frozen=True)
class PlaceRows:
    """The kernel; a task is a plane: a copy of as many bytes as a strip has of it."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (strip, out, bytes, stride of out)."""
        return ("int8_t*", "int8_t*", "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (nbytes, stride, begin, end) = tiles.parameters(
                {"strip": "int8", "out": "int8"}, ("bytes", "stride")
            )
            with T.serial(begin, end) as plane:
                source = pointer(buffers["strip"], local(plane * nbytes))
                target = pointer(buffers["out"], local(plane * stride))
                tiles.call("memmove", target, source, tirx.Cast("int64", nbytes))
        return tiles.Built(builder.get())


def lower(site: Site) -> None:
    """Append the copy."""
    node, program = site.node, site.program
    strip, axis = node.inputs[0], integer(node, "axis")
    assert strip is not None
    part, whole = shape_of(strip), shape_of(node.outputs[0])
    out = site.outputs[0]
    each = program.buffers[out].nbytes // size_of(whole)
    behind = size_of(whole[axis + 1 :]) * each
    place = Pointer(out, integer(node, "begin") * behind)
    planes, nbytes = size_of(whole[:axis]), part[axis] * behind
    program.step(
        PlaceRows(), "place_rows", [*site.pointers([strip]), place, nbytes, whole[axis] * behind],
        tasks=planes, label=f"rows of {planes} x {nbytes} B in their place", origin=site.origin,
        nodes=site.nodes, nbytes=2 * planes * nbytes, reason="the image is computed in strips",
    )  # fmt: skip
