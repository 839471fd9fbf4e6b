"""`round_rows`: float32 rows to bfloat16, to nearest even, as the products of bfloat16 read them.

One task per row. Where the instruction set multiplies pairs of bfloat16, a row is
uint16 [inputs], otherwise float32 [inputs] whose lower halves are 0. Inputs are filled up with
zeros to the pairs that a product reads. Infinities and NaNs stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import columns
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.bfloat16_dots import UPPER_HALF, dot_of
from edgemoe.targets.kernels.bfloat16_tile import pairs_of
from edgemoe.targets.kernels.panels import input_pairs
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa

TOGETHER = 4
"""Registers of values of one step."""


@dataclass(frozen=True)
class RoundRows:
    """The kernel; it has no variants."""

    uses = ("bf16",)

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (rows, rounded, depth)."""
        return ("float*", "int32_t*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        halves = dot_of(isa).row_words == 1
        dtype = "uint16" if halves else "int32"
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"rows": "float32", "rounded": dtype}
            buffers, (depth, begin, end) = tiles.parameters(names, ("depth",))
            inputs = tiles.local(pairs_of(depth) * 2)
            with T.serial(begin, end) as row:
                start, to = tiles.local(row * depth), tiles.local(row * inputs)

                def visit(j: Expr, n: int, start: Expr = start, to: Expr = to) -> None:
                    bits = bfloat16_bits(tiles.load(buffers["rows"], start + j, n), n)
                    if halves:
                        bits = tirx.Cast(typed("uint16", n), tirx.shift_right(bits, _words(16, n)))
                    tiles.store(buffers["rounded"], to + j, bits, n)

                columns.for_columns(depth, isa.lanes, visit, TOGETHER)
                with T.serial(0, inputs - depth) as k:
                    T.buffer_store(buffers["rounded"], tirx.const(0, dtype), [to + depth + k])
        return tiles.Built(builder.get())


def bfloat16_bits(values: Expr, n: int) -> Expr:
    """The nearest bfloat16 of `n` float32 in the upper half of an int32, ties to even."""
    bits = register(tirx.reinterpret(typed("int32", n), values))
    odd = tirx.bitwise_and(tirx.shift_right(bits, _words(16, n)), _words(1, n))
    # A NaN is made quiet; with half a step more, its bits could become those of a number.
    size = tirx.bitwise_and(bits, _words(0x7FFFFFFF, n))
    nan = size > _words(0x7F800000, n)
    moved = tirx.Select(nan, tirx.bitwise_or(bits, _words(0x400000, n)),
                        bits + _words(0x7FFF, n) + odd)  # fmt: skip
    return register(tirx.bitwise_and(moved, _words(UPPER_HALF, n)))


def _words(value: int, lanes: int) -> Expr:
    return tiles.splat(tirx.const(value, "int32"), lanes)


def append(
    program: Program, source: Pointer, rows: int, depth: int, *, origin: str = "",
    nodes: tuple[str, ...] = (), region: int | None = None,
) -> list[Pointer]:  # fmt: skip
    """Append the step, unless these rows have been rounded before; returns the rounded rows."""
    key = ("bfloat16", source, rows, depth)
    if key not in program.quantised:
        words = 2 * input_pairs(depth)  # what instruction sets take that have float32 rows
        name = f"{program.buffers[source.buffer].name}.bf16"
        program.quantised[key] = made = Pointer(program.buffer(name, "int32", (rows, words)))
        program.step(
            RoundRows(), "round_rows", [source, made, depth], tasks=rows,
            label=f"round {rows} rows of {depth} to bfloat16", origin=origin, nodes=nodes,
            region=region, nbytes=6 * rows * depth, reason="bfloat16 activations",
        )  # fmt: skip
    return [program.quantised[key]]
