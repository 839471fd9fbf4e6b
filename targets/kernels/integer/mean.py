"""`Mean` of an integer program: a sum over one axis, rescaled."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import SCALING, limited, rescale
from edgemoe.targets.kernels.integer.norm import cell
from edgemoe.targets.kernels.integer.site import C_TYPES, dtype_of, integer, scaling_of
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, reader, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("edgemoe.integer.Mean",)


@dataclass(frozen=True)
class Mean:
    """The kernel for [outer, extent, inner]; one task per result."""

    x: str
    out: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out, extent, inner, zero_x, multiplier, scaling...)."""
        return (C_TYPES[self.x], C_TYPES[self.out], *["int32_t"] * (4 + len(SCALING)))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        names = ("extent", "inner", "zero_x", "multiplier", *SCALING)
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, numbers = tiles.parameters({"x": self.x, "out": self.out}, names)
            n = dict(zip((*names, "begin", "end"), numbers, strict=True))
            with T.serial(n["begin"], n["end"]) as number:
                outer = local(tirx.truncdiv(number, n["inner"]))
                start = local(outer * n["extent"] * n["inner"] + number - outer * n["inner"])
                total = cell(0)
                with T.serial(0, n["extent"]) as k:
                    value = tirx.Cast("int32", buffers["x"][start + k * n["inner"]])
                    T.buffer_store(total, total[0] + value - n["zero_x"], [0])
                value = rescale(total[0], n["multiplier"], n["left"], n["right"]) + n["zero"]
                result = limited(value, n["low"], n["high"], self.out)
                T.buffer_store(buffers["out"], result, [number])
        return tiles.Built(builder.get())


def lower(site: Site) -> None:
    """Append the sum."""
    node = site.node
    x, multiplier = node.inputs[:2]
    assert x is not None and multiplier is not None
    shape = shape_of(x)
    axis = integer(node, "axis") % len(shape)
    outer, inner = size_of(shape[:axis]), size_of(shape[axis + 1 :])
    (source,) = site.pointers([x])
    site.program.step(
        Mean(dtype_of(x), dtype_of(node.outputs[0])), "mean",
        [source, Pointer(site.outputs[0]), shape[axis], inner, integer(node, "zero_x"),
         int(reader(multiplier)().reshape(-1)[0]), *scaling_of(node)],
        tasks=outer * inner, label=f"mean of {shape[axis]}", origin=site.origin, nodes=site.nodes,
        nbytes=size_of(shape), reason="integer sum over an axis",
    )  # fmt: skip
