"""`Norm` of an integer program: layer norm or RMS norm of rows, see `operators.norm`."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer, Rows
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import limited, round_shift
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, row_bytes, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.Norm",)

INTEGERS = (
    "zero_x", "narrow", "epsilon", "fraction", "beta_left", "right", "zero", "low", "high",
)  # fmt: skip
"""Integer parameters; `beta_left` is given as a power of two."""


def cell(value: Expr | int, dtype: str = "int32") -> tirx.Var:
    """A variable."""
    found = T.alloc_buffer((1,), dtype)
    T.buffer_store(found, tirx.const(value, dtype) if isinstance(value, int) else value, [0])
    return found


@dataclass(frozen=True)
class Norm(IntegerKernel):
    """The kernel; one task per row."""

    x: str
    gamma: str
    beta: str
    out: str
    centred: bool

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "gamma": self.gamma, "beta": self.beta, "out": self.out}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("width", *INTEGERS)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        with T.serial(n["begin"], n["end"]) as row:
            self._row(buffers, n, n["width"], local(row * n["width"]))

    def _row(self, buffers: Buffers, n: Numbers, width: Expr, at: Expr) -> None:
        x = buffers["x"]
        less = n["zero_x"]
        if self.centred:
            total = cell(0)
            with T.serial(0, width) as j:
                T.buffer_store(total, total[0] + tirx.Cast("int32", x[at + j]), [0])
            less = local(total[0])

        def centred(j: Expr) -> Expr:
            value = tirx.Cast("int32", x[at + j])
            d = value * width - less if self.centred else value - less
            return local(round_shift(local(d), n["narrow"]))

        squares = cell(0, "int64")
        with T.serial(0, width) as j:
            e = centred(j)
            T.buffer_store(squares, squares[0] + tirx.Cast("int64", local(e * e)), [0])
        mean = tirx.Cast("int32", tirx.truncdiv(squares[0], tirx.Cast("int64", width)))
        variance = local(tirx.max(mean + n["epsilon"], tirx.const(1, "int32")))
        inverse, shift = inverse_root(variance)
        right = local(tirx.const(30, "int32") - shift - n["fraction"])
        with T.serial(0, width) as j:
            t = local(round_shift(local(centred(j) * inverse), right))
            gamma = tirx.Cast("int32", buffers["gamma"][j])
            beta = tirx.Cast("int32", buffers["beta"][j]) * n["beta_left"]
            value = round_shift(local(t * gamma + beta), n["right"]) + n["zero"]
            T.buffer_store(buffers["out"], limited(value, n["low"], n["high"], self.out), [at + j])


def inverse_root(v: Expr) -> tuple[Expr, Expr]:
    """See `arithmetic.inverse_root`; v below 2^31."""
    wide, count = cell(v), cell(0)
    # v < 2^29 may be shifted by two bits and stays below 2^31; the last shift is of uint32.
    with T.While(tirx.all(wide[0] < tirx.const(1 << 28, "int32"), count[0] < 15)):
        T.buffer_store(wide, wide[0] * 4, [0])
        T.buffer_store(count, count[0] + 1, [0])
    top = cell(tirx.Cast("uint32", wide[0]), "uint32")
    with T.If(tirx.all(wide[0] < tirx.const(1 << 30, "int32"), count[0] < 15)), T.Then():
        T.buffer_store(top, tirx.shift_left(top[0], tirx.const(2, "uint32")), [0])
        T.buffer_store(count, count[0] + 1, [0])
    root = square_root(top[0])
    return local(tirx.truncdiv(tirx.const(1 << 30, "int32"), root)), local(count[0])


def square_root(v: Expr) -> Expr:
    """floor(sqrt(v)) of a uint32, bit by bit, as int32."""
    rest, root = cell(v, "uint32"), cell(tirx.const(0, "uint32"), "uint32")
    for bit in range(30, -2, -2):
        one = tirx.const(1 << bit, "uint32")
        trial = T.alloc_buffer((1,), "uint32")
        T.buffer_store(trial, root[0] + one, [0])
        half = tirx.shift_right(root[0], tirx.const(1, "uint32"))
        T.buffer_store(root, half, [0])
        with T.If(rest[0] >= trial[0]), T.Then():
            T.buffer_store(rest, rest[0] - trial[0], [0])
            T.buffer_store(root, root[0] + one, [0])
    return local(tirx.Cast("int32", root[0]))


def lower(site: Site) -> None:
    """Append the norm."""
    node = site.node
    x, gamma, beta = taken(node, 3)
    shape = shape_of(x)
    rows, width = size_of(shape[:-1]), shape[-1]
    centred = bool(integer(node, "centred"))
    spec = Norm(dtype_of(x), dtype_of(gamma), dtype_of(beta), dtype_of(node.outputs[0]), centred)
    x_bytes, out_bytes = row_bytes((spec.x, width), (spec.out, width))
    integers = {name: integer(node, name) for name in INTEGERS}
    integers["beta_left"] = 1 << integers["beta_left"]
    source, *constants = site.pointers([x, gamma, beta])
    out = site.outputs[0]
    site.step(
        spec, "norm", [source, *constants, Pointer(out), width, *integers.values()],
        in_place=[(out, source.buffer)] if spec.x == spec.out else [], tasks=rows,
        rows=Rows(rows, (x_bytes, 0, 0, out_bytes, *([0] * (1 + len(integers))))),
        label=f"{'layer' if centred else 'RMS'} norm of {rows} rows of {width}",
        nbytes=2 * rows * width, reason="integer norm",
    )  # fmt: skip
