"""`softmax_gate`: y = x * softmax(z) + r, over channels or over tokens.

The gated attention of TSMixer (Ekambaram et al., 2023, section 3.3): `z` is the product of `x` with
the attention matrix, `r` the residual. Over tokens (the axis before the last) channels are lanes,
so that nothing is summed across a vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer
from edgemoe.targets.kernels import columns
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm
from edgemoe.targets.kernels.softmax import softmax_row
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

COLUMNS = 128
"""Channels of one task over tokens; their maxima and sums are on the stack."""


@dataclass(frozen=True)
class SoftmaxGate:
    """The kernel. Over channels a task is a row, over tokens up to COLUMNS channels of a matrix."""

    over_tokens: bool
    gated: bool = True
    residual: bool = True

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (z, out, x?, r?, tokens, channels)."""
        return ("float*",) * (2 + self.gated + self.residual) + ("int32_t",) * 2

    def tasks(self, matrices: int, tokens: int, channels: int) -> int:
        """Number of independent tasks."""
        return matrices * (-(-channels // COLUMNS) if self.over_tokens else tokens)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["z", "out", *(["x"] if self.gated else []), *(["r"] if self.residual else [])]
            buffers, (tokens, channels, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("tokens", "channels")
            )

            def write(at: Expr, value: Expr, lanes: int) -> None:
                if self.gated:
                    value = value * tiles.load(buffers["x"], at, lanes)
                if self.residual:
                    value = value + tiles.load(buffers["r"], at, lanes)
                tiles.store(buffers["out"], at, value, lanes)

            z, out = buffers["z"], buffers["out"]
            with T.serial(begin, end) as task:
                if self.over_tokens:
                    parts = tiles.local(tirx.truncdiv(channels + (COLUMNS - 1), COLUMNS))
                    matrix = tiles.local(tirx.truncdiv(task, parts))
                    left = tiles.local(tirx.truncmod(task, parts) * COLUMNS)
                    width = tiles.local(tirx.min(COLUMNS, channels - left))
                    start = tiles.local(matrix * tokens * channels + left)
                    _over_tokens(isa, z, out, start, tokens, channels, width, write)
                else:
                    start = tiles.local(task * channels)
                    softmax_row(
                        isa, channels,
                        lambda j, n: tiles.load(z, start + j, n),
                        lambda j, v, n: write(start + j, v, n),
                        lambda j, n: tiles.load(out, start + j, n),
                        lambda j, v, n: tiles.store(out, start + j, v, n),
                    )  # fmt: skip
        return tiles.Built(builder.get())


def _over_tokens(isa, z, out, start, tokens, channels, width, write) -> None:  # type: ignore[no-untyped-def]
    """Emit the softmax down `width` columns of a matrix; exponentials are kept in `out`."""
    peaks = T.alloc_buffer((COLUMNS,), "float32")
    totals = T.alloc_buffer((COLUMNS,), "float32")

    def per_token(body) -> None:  # type: ignore[no-untyped-def]
        with T.serial(0, tokens) as token:
            row = tiles.local(start + token * channels)
            columns.for_columns(width, isa.lanes, lambda j, n: body(row, j, n))

    def begin(j: Expr, lanes: int) -> None:
        tiles.store(peaks, j, tiles.load(z, start + j, lanes), lanes)
        tiles.store(totals, j, tiles.splat(tirx.const(0.0, "float32"), lanes), lanes)

    def highest(row: Expr, j: Expr, lanes: int) -> None:
        value = tiles.load(z, row + j, lanes)
        peak = tiles.load(peaks, j, lanes)
        tiles.store(peaks, j, tirx.Select(peak > value, peak, value), lanes)

    def exponential(row: Expr, j: Expr, lanes: int) -> None:
        value = vm.exp(tiles.load(z, row + j, lanes) - tiles.load(peaks, j, lanes))
        value = vm.register(value)
        tiles.store(out, row + j, value, lanes)
        tiles.store(totals, j, tiles.load(totals, j, lanes) + value, lanes)

    def invert(j: Expr, lanes: int) -> None:
        one = tiles.splat(tirx.const(1.0, "float32"), lanes)
        tiles.store(totals, j, one / tiles.load(totals, j, lanes), lanes)

    def finish(row: Expr, j: Expr, lanes: int) -> None:
        value = tiles.load(out, row + j, lanes) * tiles.load(totals, j, lanes)
        write(row + j, value, lanes)

    tiles.for_columns(width, isa.lanes, begin)
    per_token(highest)
    per_token(exponential)
    tiles.for_columns(width, isa.lanes, invert)
    per_token(finish)


HANDLES = ("SoftmaxGate",)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Every region that the pass outlines can be computed."""
    del node, function
    return True


def lower(site: Site) -> None:
    """Append the gate to the program."""
    assert site.function is not None
    softmax = next(n for n in site.function if n.op_type == "Softmax")
    shape = shape_of(site.node.inputs[0])
    rank = len(shape)
    over_tokens = graph_facts.axis_of(softmax, -1, rank) == rank - 2
    matrices, (tokens, channels) = size_of(shape[:-2]), shape[-2:]
    value, joined = softmax.outputs[0], {}
    for node in site.function:
        if node.op_type in ("Mul", "Add"):
            joined[node.op_type] = graph_facts.other_input(node, value)
            value = node.outputs[0]
    spec = SoftmaxGate(over_tokens, "Mul" in joined, "Add" in joined)
    inputs = [softmax.inputs[0], *joined.values()]
    z, *others = site.pointers([v for v in inputs if v is not None])
    (out,) = site.outputs
    # Exponentials are kept in the result until the residual is read: `z` alone may give way.
    site.program.step(
        spec, "softmax_gate", [z, Pointer(out), *others, tokens, channels],
        in_place=[(out, z.buffer)], tasks=spec.tasks(matrices, tokens, channels),
        label=f"softmax gate over {'tokens' if over_tokens else 'channels'} of "
              f"{matrices}x{tokens}x{channels}",
        origin=site.origin, nodes=site.nodes, nbytes=4 * size_of(shape) * (1 + len(inputs)),
        reason="product with a softmax, and its residual",
    )  # fmt: skip
