"""`Softmax` and `Shares` of an integer program, see the operators of these names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import limited, round_shift
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.norm import cell
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.Softmax", "edgemoe.integer.Shares")


@dataclass(frozen=True)
class Softmax(IntegerKernel):
    """Softmax of rows; exponentials are looked up twice, so that nothing is kept between."""

    x: str
    out: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        tables = ["coarse", "fine"] if self.x == "int16" else ["coarse"]
        return {"x": self.x, **dict.fromkeys(tables, "int16"), "out": self.out}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("width",)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        width, begin, end = n.values()
        x = buffers["x"]
        with T.serial(begin, end) as row:
            start = local(row * width)
            peak = cell(-32768)
            with T.serial(0, width) as j:
                T.buffer_store(peak, tirx.max(peak[0], tirx.Cast("int32", x[start + j])), [0])
            top = local(peak[0])

            def exponential(j: Expr, start: Expr = start, top: Expr = top) -> Expr:
                d = local(top - tirx.Cast("int32", x[start + j]))
                if self.x == "int8":
                    return local(tirx.Cast("int32", buffers["coarse"][d]))
                coarse = local(tirx.Cast("int32", buffers["coarse"][d >> 8]))
                fine = local(tirx.Cast("int32", buffers["fine"][d & 255]))
                return local(round_shift(local(coarse * fine), tirx.const(15, "int32")))

            write_shares(buffers["out"], self.out, start, width, exponential)


def write_shares(
    out: tirx.Var, dtype: str, start: Expr, width: Expr, read: Callable[[Expr], Expr]
) -> None:
    """Emit read(j) / sum of read: see `operators._shares`."""
    total = cell(0)
    with T.serial(0, width) as j:
        T.buffer_store(total, total[0] + read(j), [0])
    shift = cell(0)
    with T.While(total[0] >= tirx.const(1 << 16, "int32")):
        T.buffer_store(total, tirx.shift_right(total[0], tirx.const(1, "int32")), [0])
        T.buffer_store(shift, shift[0] + 1, [0])
    inverse = local(tirx.truncdiv(tirx.const(1 << 29, "int32"), total[0]))
    places = 8 if dtype == "int8" else 15
    right = local(tirx.min(shift[0] + (29 - places), tirx.const(30, "int32")))
    with T.serial(0, width) as j:
        found = round_shift(local(read(j) * inverse), right)
        if dtype == "int8":
            low, high = tirx.const(-128, "int32"), tirx.const(127, "int32")
            found = found - 128
        else:
            low, high = tirx.const(0, "int32"), tirx.const(32767, "int32")
        T.buffer_store(out, limited(found, low, high, dtype), [start + j])


@dataclass(frozen=True)
class Shares(IntegerKernel):
    """Numbers over their sum; one task per row."""

    x: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "out": "int16"}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("width", "zero_x")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        width, zero, begin, end = n.values()
        x = buffers["x"]
        with T.serial(begin, end) as row:
            start = local(row * width)
            total = cell(0)
            with T.serial(0, width) as j:
                value = tirx.Cast("int32", x[start + j]) - zero
                T.buffer_store(total, total[0] + value, [0])
            with T.If(tirx.EQ(total[0], 0)):
                with T.Then(), T.serial(0, width) as j:
                    T.buffer_store(buffers["out"], tirx.const(0, "int16"), [start + j])
                with T.Else():
                    up = cell(1)
                    with T.While(total[0] < tirx.const(1 << 14, "int32")):
                        T.buffer_store(total, total[0] * 2, [0])
                        T.buffer_store(up, up[0] * 2, [0])
                    factor = local(up[0])

                    def share(j: Expr, start: Expr = start, factor: Expr = factor) -> Expr:
                        return local((tirx.Cast("int32", x[start + j]) - zero) * factor)

                    write_shares(buffers["out"], "int16", start, width, share)


def lower(site: Site) -> None:
    """Append the softmax, or the shares."""
    node = site.node
    (x,) = taken(node, 1)
    shape = shape_of(x)
    rows, width = size_of(shape[:-1]), shape[-1]
    out = site.outputs[0]
    tables = [] if node.op_type == "Shares" else [v for v in node.inputs[1:] if v is not None]
    source, *constants = site.pointers([x, *tables])
    spec = (
        Shares(dtype_of(x))
        if node.op_type == "Shares"
        else Softmax(dtype_of(x), dtype_of(node.outputs[0]))
    )
    zero = [integer(node, "zero_x")] if node.op_type == "Shares" else []
    site.step(
        spec, node.op_type.lower(), [source, *constants, Pointer(out), width, *zero], tasks=rows,
        label=f"{node.op_type.lower()} of {rows} rows of {width}",
        nbytes=2 * rows * width, reason="integer softmax",
    )  # fmt: skip
