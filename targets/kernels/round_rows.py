"""`round_rows`: float32 rows to 16 bits, to nearest even, as products of 16-bit rows read them.

One task per row. Where the instruction set multiplies such numbers, a row is uint16 [inputs],
filled up with zeros to the pairs or chunks that a product reads; otherwise it is float32, with the
value of the rounded number. Infinities and NaNs stay what they are; above 65504, float16 is
infinite.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import bfloat16_tile, columns, float16_product
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.bfloat16_dots import dot_of
from edgemoe.targets.kernels.narrowing import narrowed, widened
from edgemoe.targets.kernels.panels import input_pairs
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa, dots_of
from edgemoe.weight_format import WeightFormat

TOGETHER = 4
"""Registers of values of one step."""


@dataclass(frozen=True)
class RoundRows:
    """The kernel for the activations of `bf16.a16` or `f16.a16`."""

    given: WeightFormat

    @property
    def uses(self) -> tuple[str, ...]:
        """Its results lie as the product wants them."""
        return dots_of(self.given)

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (rows, rounded, depth)."""
        return ("float*", "float*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        halves = self._stores_halves(isa)
        dtype = "uint16" if halves else "float32"
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"rows": "float32", "rounded": dtype}
            buffers, (depth, begin, end) = tiles.parameters(names, ("depth",))
            inputs = tiles.local(self._inputs(isa, depth))
            with T.serial(begin, end) as row:
                start, to = tiles.local(row * depth), tiles.local(row * inputs)

                def visit(j: Expr, n: int, start: Expr = start, to: Expr = to) -> None:
                    values = tiles.load(buffers["rows"], start + j, n)
                    bits = register(narrowed(values, n, self.given.kind))
                    kept = bits if halves else widened(bits, n, self.given.kind)
                    tiles.store(buffers["rounded"], to + j, kept, n)

                columns.for_columns(depth, isa.lanes, visit, TOGETHER)
                with T.serial(0, inputs - depth) as k:
                    T.buffer_store(buffers["rounded"], tirx.const(0, dtype), [to + depth + k])
        return tiles.Built(builder.get())

    def _stores_halves(self, isa: Isa) -> bool:
        if self.given.pairs_inputs:
            return dot_of(isa).row_words == 1
        return float16_product.adds_halves(isa)

    def _inputs(self, isa: Isa, depth: Expr) -> Expr:
        """Inputs of a row with what fills it up."""
        if self.given.pairs_inputs:
            return bfloat16_tile.pairs_of(depth) * 2
        return float16_product.row_words(depth) * 2 if self._stores_halves(isa) else depth


def row_words(depth: int, given: WeightFormat) -> int:
    """32-bit words that a row takes at most, over all instruction sets."""
    if given.pairs_inputs:
        return 2 * input_pairs(depth)
    return max(depth, -(-depth // float16_product.CHUNK) * float16_product.CHUNK // 2)


def append(
    program: Program, source: Pointer, rows: int, depth: int, given: WeightFormat, *,
    origin: str = "", nodes: tuple[str, ...] = (), region: int | None = None,
) -> list[Pointer]:  # fmt: skip
    """Append the step, unless these rows have been rounded before; returns the rounded rows."""
    key = (given.kind, source, rows, depth)
    if key not in program.quantised:
        name = f"{program.buffers[source.buffer].name}.{given.kind}"
        buffer = program.buffer(name, "float32", (rows, row_words(depth, given)))
        program.quantised[key] = Pointer(buffer)
        program.step(
            RoundRows(given), "round_rows", [source, Pointer(buffer), depth], tasks=rows,
            label=f"round {rows} rows of {depth} to {given.kind}", origin=origin, nodes=nodes,
            region=region, nbytes=6 * rows * depth, reason=f"{given.kind} activations",
        )  # fmt: skip
    return [program.quantised[key]]
