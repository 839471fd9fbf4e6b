"""`Mean` of an integer program: a sum over one axis, rescaled."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import SCALING, limited, rescale
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.norm import cell
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, number_of, scaling_of, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.Mean",)


@dataclass(frozen=True)
class Mean(IntegerKernel):
    """The kernel for [outer, extent, inner]; one task per result."""

    x: str
    out: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "out": self.out}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("extent", "inner", "zero_x", "multiplier", *SCALING)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per result."""
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


def lower(site: Site) -> None:
    """Append the sum."""
    node = site.node
    x, multiplier = taken(node, 2)
    shape = shape_of(x)
    axis = integer(node, "axis") % len(shape)
    outer, inner = size_of(shape[:axis]), size_of(shape[axis + 1 :])
    (source,) = site.pointers([x])
    site.step(
        Mean(dtype_of(x), dtype_of(node.outputs[0])), "mean",
        [source, Pointer(site.outputs[0]), shape[axis], inner, integer(node, "zero_x"),
         number_of(multiplier), *scaling_of(node)],
        tasks=outer * inner, label=f"mean of {shape[axis]}",
        nbytes=size_of(shape), reason="integer sum over an axis",
    )  # fmt: skip
