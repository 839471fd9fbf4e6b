"""`softmax`: rows of exp(x - max) / sum, with an optional elementwise product (a softmax gate).

Within 8 + |x - max| ULP for rows of up to 1000 elements, where the result is above 1e-37: the
second term is what it costs that x - max is a float32. Sums of more elements lose more.

The gated form x * softmax(z) is the "gated attention" of TSMixer (Ekambaram et al., 2023, 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Rows
from edgemoe.targets.kernels import reduce
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class Softmax:
    """The kernel; one task per row."""

    gated: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out, gate?, width)."""
        return ("float*",) * (2 + self.gated) + ("int32_t",)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["x", "out", *(["gate"] if self.gated else [])]
            buffers, (width, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("width",)
            )
            with T.serial(begin, end) as row:
                start = tiles.local(row * width)
                softmax_row(
                    isa, width,
                    lambda j, n: tiles.load(buffers["x"], start + j, n),
                    lambda j, v, n: tiles.store(
                        buffers["out"], start + j,
                        v * tiles.load(buffers["gate"], start + j, n) if self.gated else v, n,
                    ),
                    lambda j, n: tiles.load(buffers["out"], start + j, n),
                    lambda j, v, n: tiles.store(buffers["out"], start + j, v, n),
                )  # fmt: skip
        return tiles.Built(builder.get())


def softmax_row(isa, width, read, write, read_temporary, write_temporary) -> None:  # type: ignore[no-untyped-def]
    """Emit the softmax of one row; exponentials are kept where `*_temporary` says."""
    peak = tiles.local(reduce.reduce_row(width, isa.lanes, -3.4e38, reduce.maximum, read))

    def exponential(j: Expr, lanes: int) -> Expr:
        value = vm.register(vm.exp(read(j, lanes) - tiles.splat(peak, lanes)))
        write_temporary(j, value, lanes)
        return value

    total = reduce.reduce_row(width, isa.lanes, 0.0, reduce.add, exponential)
    factor = tiles.local(tirx.const(1.0, "float32") / total)
    tiles.for_columns(
        width, isa.lanes,
        lambda j, n: write(j, read_temporary(j, n) * tiles.splat(factor, n), n),
    )  # fmt: skip


HANDLES = ("Softmax",)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the node is a softmax of the last axis of a float32 tensor."""
    del function
    x = node.inputs[0]
    shape = graph_facts.shape_of(x)
    if x is None or not shape or x.dtype != ir.DataType.FLOAT:
        return False
    return graph_facts.axis_of(node, -1, len(shape)) == len(shape) - 1


def lower(site: Site) -> None:
    """Append the softmax to the program."""
    x = site.node.inputs[0]
    shape = shape_of(x)
    assert x is not None
    (source,) = site.pointers([x])
    (out,) = site.outputs
    rows = size_of(shape[:-1])
    site.program.step(
        Softmax(), "softmax", [source, Pointer(out), shape[-1]],
        in_place=[(out, source.buffer)], tasks=rows,
        label=f"softmax of {rows} rows of {shape[-1]}", origin=site.origin, nodes=site.nodes,
        nbytes=8 * size_of(shape), reason="softmax of the last axis",
        rows=Rows(rows, (4 * shape[-1], 4 * shape[-1], 0)),
    )  # fmt: skip
