"""`quantise_panels`: float32 matrices to panels of int8 codes, a scale per column.

    scale[n, g] = max |x[k, n]| / 127 over k in group g,  code = round(x / scale)

The definition of `quantise_rows`, of the transposed matrix; nothing is transposed. The result lies
as weights of 8 bits do (`panels`), so that the same tiles read it: with groups a scale is rounded
up to bfloat16 before codes are made, and where zero points would lie are the sums of a column's
codes. A column with a NaN or an infinity has a NaN as its scale. One task per panel of a matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import columns
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.dots import INPUTS
from edgemoe.targets.kernels.integer_tile import groups_of, words_of
from edgemoe.targets.kernels.panels import PANEL, panel_bytes, scale_words
from edgemoe.targets.kernels.quantise_rows import ROUNDER
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class QuantisePanels:
    """The kernel for one format of 8 bits."""

    given: WeightFormat

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, panels, depth, channels)."""
        return ("float*", "int32_t*", "int32_t", "int32_t")

    def tasks(self, matrices: int, channels: int) -> int:
        """Number of independent tasks."""
        return matrices * -(-channels // PANEL)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (depth, channels, begin, end) = tiles.parameters(
                {"x": "float32", "panels": "int32"}, ("depth", "channels")
            )
            count = tiles.local(tirx.truncdiv(channels + (PANEL - 1), PANEL))
            groups = tiles.local(groups_of(depth, self.given))
            words = tiles.local(words_of(depth, self.given))
            block = tiles.local(words * PANEL + scale_words(self.given))
            with T.serial(begin, end) as task:
                matrix = tiles.local(tirx.truncdiv(task, count))
                left = tiles.local((task - matrix * count) * PANEL)
                width = tiles.local(tirx.min(PANEL, channels - left))
                with T.serial(0, groups) as g:
                    first = tiles.local(g * words * INPUTS)
                    inputs = tiles.local(tirx.min(depth - first, words * INPUTS))
                    start = tiles.local((matrix * depth + first) * channels + left)
                    to = tiles.local((task * groups + g) * block)
                    with T.If(width < PANEL), T.Then(), T.serial(0, words) as word:
                        zero = _words(0, PANEL)
                        tiles.store(buffers["panels"], to + word * PANEL, zero, PANEL)
                    self._group(isa, buffers, start, channels, inputs, words, width, to)
        return tiles.Built(builder.get())

    def _group(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], start: Expr, channels: Expr, inputs: Expr,
        words: Expr, width: Expr, to: Expr,
    ) -> None:  # fmt: skip
        scales = T.alloc_buffer((PANEL,), "int32")  # bits of float32
        sums = T.alloc_buffer((PANEL,), "int32")
        tiles.store(scales, 0, _words(0, PANEL), PANEL)
        tiles.store(sums, 0, _words(0, PANEL), PANEL)
        whole = tiles.local(tirx.truncdiv(inputs, INPUTS))

        def visit(j: Expr, n: int) -> None:
            at = tiles.local(start + j)
            inverse = self._scale(buffers["x"], at, channels, inputs, n, scales, j)
            total = T.alloc_buffer((n,), "int32")
            lanes = T.ramp(0, 1, n) if n > 1 else 0
            T.buffer_store(total, _words(0, n), [lanes])

            def code(k: Expr) -> Expr:
                value = tiles.load(buffers["x"], at + k * channels, n) * inverse
                bits = register(
                    tirx.reinterpret(
                        typed("int32", n),
                        register(value + tiles.splat(tirx.const(ROUNDER, "float32"), n)),
                    )
                )
                if self.given.zero_points:
                    T.buffer_store(total, total[lanes] + (bits - _words(0x4B400000, n)), [lanes])
                return tirx.bitwise_and(bits, _words(0xFF, n))

            with T.serial(0, whole) as word:
                joined = code(word * INPUTS)
                for i in range(1, INPUTS):
                    shifted = tirx.shift_left(code(word * INPUTS + i), _words(8 * i, n))
                    joined = register(tirx.bitwise_or(joined, shifted))
                tiles.store(buffers["panels"], to + word * PANEL + j, joined, n)
            with T.serial(0, words - whole) as rest:
                word = tiles.local(whole + rest)
                cell = T.alloc_buffer((n,), "int32")
                T.buffer_store(cell, _words(0, n), [lanes])
                for i in range(INPUTS - 1):
                    k = word * INPUTS + i
                    with T.If(k < inputs), T.Then():
                        shifted = tirx.shift_left(code(k), _words(8 * i, n))
                        T.buffer_store(cell, tirx.bitwise_or(cell[lanes], shifted), [lanes])
                tiles.store(buffers["panels"], to + word * PANEL + j, cell[lanes], n)
            tiles.store(sums, j, total[lanes], n)

        columns.for_columns(width, isa.lanes, visit)
        self._facts(isa, buffers["panels"], to + words * PANEL, scales, sums)

    def _scale(
        self, x: tirx.Var, at: Expr, channels: Expr, inputs: Expr, n: int, scales: tirx.Var,
        j: Expr,
    ) -> Expr:  # fmt: skip
        """Emit the scales of `n` columns; returns the factors that make codes of values."""
        # Magnitudes are compared as integers, see `quantise_rows`.
        largest = T.alloc_buffer((n,), "int32")
        lanes = T.ramp(0, 1, n) if n > 1 else 0
        T.buffer_store(largest, _words(0, n), [lanes])
        with T.serial(0, inputs) as k:
            bits = tirx.reinterpret(typed("int32", n), tiles.load(x, at + k * channels, n))
            size = tirx.bitwise_and(bits, _words(0x7FFFFFFF, n))
            T.buffer_store(largest, tirx.max(largest[lanes], size), [lanes])

        def number(value: float) -> Expr:
            return tiles.splat(tirx.const(value, "float32"), n)

        floats, integers = typed("float32", n), typed("int32", n)
        bits = register(largest[lanes])
        most = register(tirx.max(tirx.reinterpret(floats, bits), number(1e-30)))
        scale = register(tirx.reinterpret(integers, register(most * number(1.0 / 127.0))))
        inverse = number(127.0) / most
        if self.given.group:
            up = tirx.bitwise_and(scale + _words(0xFFFF, n), _words(-0x10000, n))
            scale = register(up)
            inverse = number(1.0) / tirx.reinterpret(floats, scale)
        finite = bits < _words(0x7F800000, n)
        tiles.store(scales, j, tirx.Select(finite, scale, _words(0x7FC00000, n)), n)
        return register(inverse)

    def _facts(
        self, isa: Isa, panels: tirx.Var, to: Expr, scales: tirx.Var, sums: tirx.Var
    ) -> None:
        """Emit the scales of a group, and the sums of its columns, as `panels` wants them."""
        n = isa.lanes
        for first in range(0, scale_words(self.given), n):
            word = tiles.load(scales, first, n)
            if self.given.zero_points:
                word = tirx.bitwise_or(
                    word, tirx.bitwise_and(tiles.load(sums, first, n), _words(0xFFFF, n))
                )
            elif self.given.group:
                low = tirx.shift_right(word, _words(16, n))
                high = tiles.load(scales, first + PANEL // 2, n)
                word = tirx.bitwise_or(tirx.bitwise_and(low, _words(0xFFFF, n)), high)
            tiles.store(panels, to + first, word, n)


def _words(value: int, lanes: int) -> Expr:
    return tiles.splat(tirx.const(value, "int32"), lanes)


def append(
    program: Program, source: Pointer, matrices: int, depth: int, channels: int,
    given: WeightFormat, *, origin: str = "", nodes: tuple[str, ...] = (),
) -> Pointer:  # fmt: skip
    """Append the step, unless these matrices have been quantised like this before."""
    key = ("panels", source, matrices, depth, channels, given)
    if key not in program.quantised:
        spec, name = QuantisePanels(given), f"{program.buffers[source.buffer].name}.panels"
        tasks = spec.tasks(matrices, channels)
        made = program.buffer(name, "int8", (tasks, panel_bytes(depth, given)))
        program.step(
            spec, "quantise_panels", [source, Pointer(made), depth, channels], tasks=tasks,
            label=f"quantise {matrices}x{depth} tokens of {channels} channels"
            + (f" by {given.group}" if given.group else ""),
            origin=origin, nodes=nodes, nbytes=5 * matrices * depth * channels,
            reason="int8 activations, a scale per channel" + (" and group" if given.group else ""),
        )  # fmt: skip
        program.quantised[key] = Pointer(made)
    found: Pointer = program.quantised[key]
    return found
