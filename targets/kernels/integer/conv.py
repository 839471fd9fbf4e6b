"""`Conv` of an integer program: windows read where they lie, one output after another.

Nothing is copied, so that a convolution needs no memory but its result. What can be a product is
one before it comes here (`passes/conv_to_product`), and takes the kernels of products.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import SCALING, limited, rescale
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.norm import cell
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, scaling_of, taken
from edgemoe.targets.site import Site, reader, shape_of, size_of

HANDLES = ("edgemoe.integer.Conv",)

SIZES = (
    "channels", "in_height", "in_width", "own", "each", "taps_y", "taps_x", "outputs", "height",
    "width", "step_y", "step_x", "apart_y", "apart_x", "pad_y", "pad_x", "zero_x",
)  # fmt: skip
"""`own` input channels of a group, which makes `each` of the `outputs`; see `operators.conv`."""


@dataclass(frozen=True)
class Conv(IntegerKernel):
    """The kernel; one task per row of one output channel."""

    x: str
    out: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {
            "x": self.x, "weights": "int8", "bias": "int32", "multiplier": "int32", "out": self.out,
        }  # fmt: skip

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return (*SIZES, *SCALING)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row of an output channel."""
        with T.serial(n["begin"], n["end"]) as row:
            plane = local(tirx.truncdiv(row, n["height"]))
            top = local((row - plane * n["height"]) * n["step_y"] - n["pad_y"])
            sample = local(tirx.truncdiv(plane, n["outputs"]))
            output = local(plane - sample * n["outputs"])
            first = local(sample * n["channels"] + tirx.truncdiv(output, n["each"]) * n["own"])
            with T.serial(0, n["width"]) as column:
                left = local(column * n["step_x"] - n["pad_x"])
                total = cell(buffers["bias"][output])
                self._window(buffers, n, total, first, output, top, left)
                value = rescale(total[0], buffers["multiplier"][output], n["left"], n["right"])
                result = limited(value + n["zero"], n["low"], n["high"], self.out)
                T.buffer_store(buffers["out"], result, [row * n["width"] + column])

    def _window(
        self, buffers: Buffers, n: Numbers, total: tirx.Var, first: Expr,
        output: Expr, top: Expr, left: Expr,
    ) -> None:  # fmt: skip
        """Emit the sum over a window; outside of the input there is the zero point."""
        with T.serial(0, n["own"]) as channel, T.serial(0, n["taps_y"]) as i:
            y = local(top + i * n["apart_y"])
            start = local(((first + channel) * n["in_height"] + y) * n["in_width"])
            tap = local(((output * n["own"] + channel) * n["taps_y"] + i) * n["taps_x"])
            with T.serial(0, n["taps_x"]) as j:
                x = local(left + j * n["apart_x"])
                weight = local(tirx.Cast("int32", buffers["weights"][tap + j]))
                inside = tirx.all(y >= 0, y < n["in_height"], x >= 0, x < n["in_width"])
                with T.If(inside):
                    with T.Then():
                        value = tirx.Cast("int32", buffers["x"][start + x])
                        T.buffer_store(total, total[0] + value * weight, [0])
                    with T.Else():
                        T.buffer_store(total, total[0] + n["zero_x"] * weight, [0])


def lower(site: Site) -> None:
    """Append the convolution."""
    node, program = site.node, site.program
    x, w, bias, multiplier = taken(node, 4)
    before, after, filters = (shape_of(v) for v in (x, node.outputs[0], w))
    taps, groups = (1, *filters[2:])[-2:], integer(node, "groups")
    given = {
        "channels": before[1], "in_height": (1, *before[2:])[-2], "in_width": before[-1],
        "own": filters[1], "each": filters[0] // groups, "taps_y": taps[0], "taps_x": taps[1],
        "outputs": filters[0],
    }  # fmt: skip
    sizes = [given[name] if name in given else integer(node, name) for name in SIZES]
    constants = [
        Pointer(program.constant(str(v.name), reader(v)(), role=role))
        for v, role in ((w, "linear"), (bias, "scale"), (multiplier, "scale"))
    ]
    macs = size_of(after) * size_of(filters[1:])
    site.step(
        Conv(dtype_of(x), dtype_of(node.outputs[0])), "conv",
        [*site.pointers([x]), *constants, Pointer(site.outputs[0]), *sizes, *scaling_of(node)],
        tasks=size_of(after[:2]) * integer(node, "height"),
        label=f"convolution of {taps[0]}x{taps[1]}, {filters[1] * groups} -> {filters[0]} channels",
        macs=macs, nbytes=size_of(before) + size_of(after),
        reason="windows that overlap are no product",
    )  # fmt: skip
