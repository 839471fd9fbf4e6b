"""`Conv` of an integer program: windows read where they lie, four outputs of a row at a time.

Nothing is copied, so that a convolution needs no memory but its result. Four neighbours share the
weights of a window, and the inputs where windows overlap; at the left and the right edge of the
image, where windows are cut off, outputs come one by one. What can be a product is one before it
comes here (`passes/conv_to_product`), and takes the kernels of products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.errors import UnsupportedOpError
from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.cores import Array, extern, local
from edgemoe.targets.kernels.integer.finish_sums import within
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.linear import offset_of
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, scaling_of, taken
from edgemoe.targets.site import Site, reader, shape_of, size_of

HANDLES = ("edgemoe.integer.Conv",)

SIZES = (
    "channels", "in_height", "in_width", "own", "each", "taps_y", "taps_x", "outputs", "height",
    "width", "step_y", "step_x", "apart_y", "apart_x", "pad_y", "pad_x", "zero_x", "inner", "outer",
)  # fmt: skip
"""`own` input channels of a group, which makes `each` of the `outputs`; see `operators.conv`. The
outputs of a row `inner` <= u < `outer` read no column outside of the input.
"""

KNOWN = ("taps_x", "step_x", "apart_x")
"""Sizes that a kernel knows: what lies in a window is then at constant distances."""

SCALING = ("left", "offset", "right", "low", "high")
"""See `product.INTEGERS`."""

TOGETHER = 4
"""Neighbours in a row that are computed at once."""

MOST_TAPS = 9
"""Taps in a row of a window that are written one after the other."""


@dataclass(frozen=True)
class Conv(IntegerKernel):
    """The kernel; one task per row of one output channel.

    Inputs are `shifted` by a zero point, which is in the bias of all taps: taps outside of the
    input add nothing. Results are `limited` by more than their dtype.
    """

    x: str
    out: str
    taps_x: int
    step_x: int
    apart_x: int
    shifted: bool
    limited: bool

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {
            "x": self.x, "weights": "int8", "bias": "int32", "multiplier": "int32", "out": self.out,
        }  # fmt: skip

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        left_out = {*KNOWN, *(() if self.shifted else ("zero_x",))}
        left_out |= set() if self.limited else {"low", "high"}
        return tuple(name for name in (*SIZES, *SCALING) if name not in left_out)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row of an output channel."""
        n = n | {name: tirx.const(getattr(self, name), "int32") for name in KNOWN}
        with T.serial(n["begin"], n["end"]) as row:
            plane = local(tirx.truncdiv(row, n["height"]))
            top = local((row - plane * n["height"]) * n["step_y"] - n["pad_y"])
            above, below = _inside(top, n["apart_y"], n["taps_y"], n["in_height"])
            sample = local(tirx.truncdiv(plane, n["outputs"]))
            output = local(plane - sample * n["outputs"])
            first = local(sample * n["channels"] + tirx.truncdiv(output, n["each"]) * n["own"])
            x = local((first * n["in_height"] + top) * n["in_width"])
            tap = local(output * n["own"] * n["taps_y"] * self.taps_x)
            target = local(row * n["width"])

            def some(column: Expr, count: int) -> None:
                left = local(column * self.step_x - n["pad_x"])
                totals = T.alloc_buffer((count,), "int32")
                for u in range(count):
                    T.buffer_store(totals, buffers["bias"][output], [u])
                with T.serial(0, n["own"]) as channel, T.serial(0, below - above) as i:
                    y = local((above + i) * n["apart_y"] + channel * n["in_height"])
                    at = local(x + y * n["in_width"] + left)
                    taps = local(tap + (channel * n["taps_y"] + above + i) * self.taps_x)
                    self._row(buffers, n, totals, count, at, taps, left)
                for u in range(count):
                    high = local(
                        extern(
                            "em_smmla", local(totals[u] * n["left"]),
                            buffers["multiplier"][output], n["offset"],
                        )
                    )  # fmt: skip
                    found = within(
                        local(tirx.shift_right(high, n["right"])), n, self.out, limited=self.limited
                    )
                    T.buffer_store(
                        buffers["out"], tirx.Cast(self.out, found), [target + column + u]
                    )

            gap = local(n["outer"] - n["inner"])
            with T.serial(0, n["width"] - gap) as edge:
                some(local(tirx.Select(edge < n["inner"], edge, edge + gap)), 1)
            last = local(n["outer"] - TOGETHER)
            with T.serial(0, tirx.truncdiv(last - n["inner"] + 2 * TOGETHER - 1, TOGETHER)) as tile:
                # The last one goes back to where it fits, and makes some outputs again.
                some(local(tirx.min(n["inner"] + tile * TOGETHER, last)), TOGETHER)

    def _row(
        self, buffers: Buffers, n: Numbers, totals: tirx.Var, count: int, at: Expr, taps: Expr,
        left: Expr,
    ) -> None:  # fmt: skip
        """Emit what a row of windows adds, from input `at` and tap `taps` on."""

        def add(j: Expr | int) -> None:
            weight = local(tirx.Cast("int32", buffers["weights"][taps + j]))
            for u in range(count):
                place = at + (j * self.apart_x + u * self.step_x)
                value = tirx.Cast("int32", buffers["x"][place])
                if self.shifted:
                    value = value - n["zero_x"]
                T.buffer_store(totals, totals[u] + value * weight, [u])

        if count == 1:  # at an edge
            first, last = _inside(left, n["apart_x"], n["taps_x"], n["in_width"])
            with T.serial(0, last - first) as j:
                add(local(first + j))
        elif self.taps_x > MOST_TAPS:
            with T.serial(0, self.taps_x) as j:
                add(j)
        else:
            for tap in range(self.taps_x):
                add(tap)


def _inside(begin: Expr, apart: Expr, taps: Expr, extent: Expr) -> tuple[Expr, Expr]:
    """The first tap of a window that lies in the input, and that behind the last."""

    def taps_to(distance: Expr) -> Expr:
        zero = tirx.const(0, "int32")
        return tirx.truncdiv(tirx.max(distance, zero) + (apart - 1), apart)

    return local(taps_to(-begin)), local(tirx.min(taps_to(local(extent - begin)), taps))


def lower(site: Site) -> None:
    """Append the convolution."""
    node, program = site.node, site.program
    x, w, bias, multiplier = taken(node, 4)
    before, after, filters = (shape_of(v) for v in (x, node.outputs[0], w))
    taps, groups = (1, *filters[2:])[-2:], integer(node, "groups")
    left, right, _, low, high = scaling_of(node)
    given = {
        "channels": before[1], "in_height": (1, *before[2:])[-2], "in_width": before[-1],
        "own": filters[1], "each": filters[0] // groups, "taps_y": taps[0], "taps_x": taps[1],
        "outputs": filters[0],
    }  # fmt: skip
    given = {name: given.get(name, integer(node, name)) for name in SIZES}
    given["inner"], given["outer"] = _untouched(given)
    given |= dict(zip(SCALING, (left, offset_of(node), right, low, high), strict=True))
    whole = 1 << (integer(node, "bits") - 1)
    spec = Conv(
        dtype_of(x), dtype_of(node.outputs[0]),
        taps_x=given["taps_x"], step_x=given["step_x"], apart_x=given["apart_x"],
        shifted=given["zero_x"] != 0, limited=(low, high) != (-whole, whole - 1),
    )  # fmt: skip
    arrays = {
        w: (reader(w)(), "linear"),
        bias: (_with_zeros(node, reader(w)(), reader(bias)(), given["zero_x"]), "scale"),
        multiplier: (reader(multiplier)(), "scale"),
    }
    constants = [
        Pointer(program.constant(str(v.name), array, role=role))
        for v, (array, role) in arrays.items()
    ]
    macs = size_of(after) * size_of(filters[1:])
    site.step(
        spec, "conv",
        [*site.pointers([x]), *constants, Pointer(site.outputs[0]),
         *(given[name] for name in spec.integers)],
        tasks=size_of(after[:2]) * integer(node, "height"),
        label=f"convolution of {taps[0]}x{taps[1]}, {filters[1] * groups} -> {filters[0]} channels",
        macs=macs, nbytes=size_of(before) + size_of(after),
        reason="windows that overlap are no product",
    )  # fmt: skip


def _with_zeros(node: ir.Node, w: Array, bias: Array, zero: int) -> Array:
    """The bias with the zero point at every tap, int32 [N].

    Raises:
        UnsupportedOpError: sums on the way would not fit.
    """
    codes = w.reshape(len(w), -1).astype(np.int64)
    found = bias + zero * codes.sum(1)
    # Without a zero point, sums are those of the operator, which are known to fit.
    most = int((np.abs(found) + (255 if zero else 0) * np.abs(codes).sum(1)).max(initial=0))
    if most >= 1 << 31:
        raise UnsupportedOpError(
            f"{node.name}: sums of {codes.shape[1]:,} taps of int8 may reach {most:,}, an int32 "
            "holds less\n  next: fewer channels, or the convolution in groups"
        )
    as_stored: Array = found.astype(np.int32)
    return as_stored


def _untouched(n: dict[str, int]) -> tuple[int, int]:
    """The first output of a row whose window begins inside of the input, and that behind the last.

    Where there are not enough for a tile, both are the same.
    """
    first = min(-(-n["pad_x"] // n["step_x"]), n["width"])
    reach = n["apart_x"] * (n["taps_x"] - 1) + 1
    behind = min((n["in_width"] - reach + n["pad_x"]) // n["step_x"] + 1, n["width"])
    return (first, behind) if behind - first >= TOGETHER else (first, first)
