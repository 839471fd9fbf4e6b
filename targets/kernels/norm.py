"""`norm`: layer norm or root-mean-square norm of rows, with scale and shift.

layer: (x - mean(x)) / sqrt(mean((x - mean)^2) + epsilon) * scale + shift (Ba et al., 2016, eq. 4)
rms:   x / sqrt(mean(x^2) + epsilon) * scale (Zhang and Sennrich, 2019, eq. 4)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import reduce
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class Norm:
    """The kernel for one kind of norm; one task per row."""

    kind: Literal["layer", "rms"]
    scale: bool
    shift: bool
    epsilon: float

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out, scale?, shift?, width)."""
        return ("float*",) * (2 + self.scale + self.shift) + ("int32_t",)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["x", "out"] + ["scale"] * self.scale + ["shift"] * self.shift
            buffers, (width, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("width",)
            )
            x, out = buffers["x"], buffers["out"]
            with T.serial(begin, end) as row:
                start = tiles.local(row * width)
                count = reduce.as_float(width)
                mean = tirx.const(0.0, "float32")
                if self.kind == "layer":
                    total = reduce.reduce_row(
                        width, isa.lanes, 0.0, reduce.add,
                        lambda j, n: tiles.load(x, start + j, n),
                    )  # fmt: skip
                    mean = tiles.local(total / count)

                def centred(j: Expr, lanes: int) -> Expr:
                    value = tiles.load(x, start + j, lanes)
                    return value - tiles.splat(mean, lanes) if self.kind == "layer" else value

                def square(j: Expr, lanes: int) -> Expr:
                    value = tiles.local(centred(j, lanes))
                    return value * value

                squares = reduce.reduce_row(width, isa.lanes, 0.0, reduce.add, square)
                epsilon = tirx.const(self.epsilon, "float32")
                factor = tiles.local(
                    tirx.const(1.0, "float32") / tirx.sqrt(squares / count + epsilon)
                )

                def write(j: Expr, lanes: int) -> None:
                    value = centred(j, lanes) * tiles.splat(factor, lanes)
                    if self.scale:
                        value = value * tiles.load(buffers["scale"], j, lanes)
                    if self.shift:
                        value = value + tiles.load(buffers["shift"], j, lanes)
                    tiles.store(out, start + j, value, lanes)

                tiles.for_columns(width, isa.lanes, write)
        return tiles.Built(builder.get())
