"""`quantise_rows`: float32 rows to int8 codes, as the integer products read them.

    scale[m, g] = max |x[m, k]| / 127 over k in group g,  code = round(x / scale),
    row_sum[m, g] = sum of the codes

One task per row. Codes lie as the target's dot product wants them (`dots`): words of four, each
followed by the word of their magnitudes where it asks for those; the end of the last group is
filled with zeros. A row with a NaN or an infinity gets a NaN as its scale, so that all its products
are NaN, as they would be in float32.
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
from edgemoe.targets.kernels.dots import INPUTS, dot_of
from edgemoe.targets.kernels.integer_tile import blocks_of, groups_of
from edgemoe.targets.kernels.panels import block_inputs, group_count, group_inputs
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat

ROUNDER = 12582912.0
"""1.5 * 2^23: adding it leaves the nearest integer in the low bits of a small float32."""


TOGETHER = 4
"""Registers of values of one step: their bytes fill one."""


@dataclass(frozen=True)
class QuantiseRows:
    """The kernel for the activations of one weight format."""

    given: WeightFormat

    uses = ("dot",)
    """Its results lie as the dot product wants them."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (rows, codes, scales, sums, depth)."""
        return ("float*", "int32_t*", "float*", "int32_t*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        dot = dot_of(isa)
        copies = 1 + dot.magnitudes(self.given)
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"rows": "float32", "codes": "int8", "scales": "float32", "sums": "int32"}
            buffers, (depth, begin, end) = tiles.parameters(names, ("depth",))
            groups = tiles.local(groups_of(depth, self.given))
            inputs = tiles.local(blocks_of(depth, self.given) * block_inputs(self.given))
            with T.serial(begin, end) as row, T.serial(0, groups) as g:
                start = tiles.local(row * depth + g * inputs)
                count = tiles.local(tirx.min(depth - g * inputs, inputs))
                fact = tiles.local(row * groups + g)
                to = tiles.local(fact * inputs * copies)
                inverse = store_scale(isa, buffers["rows"], start, count, buffers["scales"], fact)
                self._codes(isa, buffers, start, count, fact, to, inverse, copies)
                with T.serial(0, inputs - count) as k:
                    for copy in range(copies):
                        at = to + _place(tiles.local(count + k), copies) + INPUTS * copy
                        T.buffer_store(buffers["codes"], tirx.const(0, "int8"), [at])
        return tiles.Built(builder.get())

    def _codes(
        self, isa: Isa, buffers: dict[str, tirx.Var], start: Expr, count: Expr, fact: Expr,
        to: Expr, inverse: Expr, copies: int,
    ) -> None:  # fmt: skip
        lanes, wide = isa.lanes, isa.lanes * TOGETHER
        total = T.alloc_buffer((wide,), "int32")
        T.buffer_store(total, _words(0, wide), [T.ramp(0, 1, wide)])

        def visit(j: Expr, n: int) -> None:
            code = code_of(buffers["rows"], start + j, n, inverse)
            at = T.ramp(0, 1, n) if n > 1 else 0
            T.buffer_store(total, total[at] + code, [at])
            kept = [register(tirx.Cast(typed("int8", n), code))]
            if copies == 2:
                nothing = tiles.splat(tirx.const(0, "int8"), n)
                kept.append(register(tirx.Select(kept[0] < nothing, nothing - kept[0], kept[0])))
            if n == 1:
                for copy, value in enumerate(kept):
                    place = to + _place(j, copies) + INPUTS * copy
                    T.buffer_store(buffers["codes"], value, [place])
            elif copies == 1:
                tiles.store(buffers["codes"], to + j, kept[0], n)
            else:
                words = n // INPUTS
                parts = [register(tirx.reinterpret(typed("int32", words), v)) for v in kept]
                order = [copy * words + word for word in range(words) for copy in range(2)]
                joined = register(tirx.Shuffle(parts, order))
                whole = tirx.reinterpret(typed("int8", 2 * n), joined)
                tiles.store(buffers["codes"], to + 2 * j, whole, 2 * n)

        columns.for_columns(count, lanes, visit, TOGETHER)
        width = wide
        while width > 1:
            width //= 2
            both = tiles.load(total, 0, width) + tiles.load(total, width, width)
            tiles.store(total, 0, both, width)
        T.buffer_store(buffers["sums"], total[0], [fact])


def store_scale(
    isa: Isa, rows: tirx.Var, start: Expr, count: Expr, scales: tirx.Var, fact: Expr
) -> Expr:
    """Emit the scale of rows[start : start + count]; returns what makes codes of its values."""
    lanes = isa.lanes
    # Magnitudes are compared as integers: that orders finite numbers as they are, and puts
    # infinities and NaNs behind them.
    wide = lanes * TOGETHER
    largest = T.alloc_buffer((wide,), "int32")
    T.buffer_store(largest, _words(0, wide), [T.ramp(0, 1, wide)])

    def visit(j: Expr, n: int) -> None:
        bits = tirx.reinterpret(typed("int32", n), tiles.load(rows, start + j, n))
        at = T.ramp(0, 1, n) if n > 1 else 0
        size = tirx.bitwise_and(bits, _words(0x7FFFFFFF, n))
        T.buffer_store(largest, tirx.max(largest[at], size), [at])

    columns.for_columns(count, lanes, visit, TOGETHER)
    width = wide
    while width > 1:
        width //= 2
        pair = tirx.max(tiles.load(largest, 0, width), tiles.load(largest, width, width))
        tiles.store(largest, 0, pair, width)
    most = tirx.max(tirx.reinterpret("float32", largest[0]), tirx.const(1e-30, "float32"))
    most = register(most)
    scale = most * tirx.const(1.0 / 127.0, "float32")
    spoilt = tirx.reinterpret("float32", tirx.const(0x7FC00000, "int32"))
    T.buffer_store(scales, tirx.Select(largest[0] < 0x7F800000, scale, spoilt), [fact])
    return register(tirx.const(127.0, "float32") / most)


def code_of(rows: tirx.Var, at: Expr, n: int, inverse: Expr) -> Expr:
    """round(x * inverse) as int32, to nearest even."""
    magic = tiles.splat(tirx.const(ROUNDER, "float32"), n)
    scaled = tiles.load(rows, at, n) * tiles.splat(inverse, n) + magic
    bits = tirx.reinterpret(typed("int32", n), register(scaled))
    return register(bits - _words(0x4B400000, n))


def _words(value: int, lanes: int) -> Expr:
    return tiles.splat(tirx.const(value, "int32"), lanes)


def _place(k: Expr, copies: int) -> Expr:
    """Where the first copy of input `k` lies: copies follow each other four inputs at a time."""
    if copies == 1:
        return k
    return tirx.truncdiv(k, INPUTS) * (INPUTS * copies) + tirx.truncmod(k, INPUTS)


@dataclass(frozen=True)
class QuantisedRows:
    """Buffers of rows as an integer product reads them."""

    codes: int
    scales: int
    sums: int

    @property
    def pointers(self) -> list[Pointer]:
        """Kernel arguments, in the order of `IntegerProduct.pointers`."""
        return [Pointer(self.codes), Pointer(self.scales), Pointer(self.sums)]


def append(
    program: Program, source: Pointer, rows: int, depth: int, given: WeightFormat, *,
    origin: str = "", nodes: tuple[str, ...] = (), region: int | None = None,
) -> QuantisedRows:  # fmt: skip
    """Append the step, unless these rows have been quantised like this before."""
    key = (source, rows, depth, given.group, given.bits == 8)
    known: QuantisedRows | None = program.quantised.get(key)
    if known is not None:
        return known
    groups, name = group_count(depth, given), f"{program.buffers[source.buffer].name}.int8"
    # For codes of 8 bits, some instruction sets need the magnitudes as well.
    words = group_inputs(depth, given) // INPUTS * (2 if given.bits == 8 else 1)
    made = QuantisedRows(
        program.buffer(name, "int32", (rows, groups * words)),
        program.buffer(f"{name}.scales", "float32", (rows, groups)),
        program.buffer(f"{name}.sums", "int32", (rows, groups)),
    )
    program.step(
        QuantiseRows(given), "quantise_rows", [source, *made.pointers, depth], tasks=rows,
        label=f"quantise {rows} rows of {depth}" + (f" by {given.group}" if groups > 1 else ""),
        origin=origin, nodes=nodes, region=region, nbytes=5 * rows * depth,
        reason="int8 activations, a scale per row" + (" and group" if groups > 1 else ""),
    )  # fmt: skip
    program.quantised[key] = made
    return made
