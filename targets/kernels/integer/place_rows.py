"""`PlaceRows`: a strip of rows becomes part of a tensor that is made of strips.

Of integers and of floats: bytes are copied. The result is the tensor of the strip before, changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import local, pointer
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import integer, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.PlaceRows",)

WRITES_INTO = 1
"""The input whose memory the result is, where there is one (see `lowering.append`)."""


@dataclass(frozen=True)
class PlaceRows(IntegerKernel):
    """The kernel; a task is a plane: a copy of as many bytes as a strip has of it."""

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"strip": "int8", "out": "int8"}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("bytes", "stride")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per plane."""
        nbytes, stride, begin, end = n.values()
        with T.serial(begin, end) as plane:
            source = pointer(buffers["strip"], local(plane * nbytes))
            target = pointer(buffers["out"], local(plane * stride))
            tiles.call("memmove", target, source, tirx.Cast("int64", nbytes))


def lower(site: Site) -> None:
    """Append the copy."""
    node, program = site.node, site.program
    (strip,), axis = taken(node, 1), integer(node, "axis")
    part, whole = shape_of(strip), shape_of(node.outputs[0])
    out = site.outputs[0]
    each = program.buffers[out].nbytes // size_of(whole)
    behind = size_of(whole[axis + 1 :]) * each
    place = Pointer(out, integer(node, "begin") * behind)
    planes, nbytes = size_of(whole[:axis]), part[axis] * behind
    site.step(
        PlaceRows(), "place_rows", [*site.pointers([strip]), place, nbytes, whole[axis] * behind],
        tasks=planes, label=f"rows of {planes} x {nbytes} B in their place",
        nbytes=2 * planes * nbytes, reason="the image is computed in strips",
    )  # fmt: skip
