"""`quantise_static_panels`: float32 matrices to panels of int8 codes with one static scale.

The layout of `quantise_panels` without groups, the codes of `static_codes`: no column is looked at
before it is rounded. Rows that fill the last word meet weights that are zero. One task per panel of
a matrix.
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
from edgemoe.targets.kernels.dots import INPUTS
from edgemoe.targets.kernels.panels import PANEL, panel_bytes
from edgemoe.targets.kernels.static_codes import SCALE, Coder
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import I8


@dataclass(frozen=True)
class QuantiseStaticPanels:
    """The kernel, which is the same for all scales."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, panels, facts, depth, channels)."""
        return ("float*", "int32_t*", "float*", "int32_t", "int32_t")

    def tasks(self, matrices: int, channels: int) -> int:
        """Number of independent tasks."""
        return matrices * -(-channels // PANEL)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (depth, channels, begin, end) = tiles.parameters(
                {"x": "float32", "panels": "int32", "facts": "float32"}, ("depth", "channels")
            )
            coder = Coder(isa, buffers["facts"], moves=False)
            count = tiles.local(tirx.truncdiv(channels + (PANEL - 1), PANEL))
            words = tiles.local(tirx.truncdiv(depth + (INPUTS - 1), INPUTS))
            with T.serial(begin, end) as task:
                matrix = tiles.local(tirx.truncdiv(task, count))
                left = tiles.local((task - matrix * count) * PANEL)
                width = tiles.local(tirx.min(PANEL, channels - left))
                start = tiles.local(matrix * depth * channels + left)
                to = tiles.local(task * (words + 1) * PANEL)
                with T.serial(0, words) as word:
                    self._word(isa, buffers, coder, start, to, word, (depth, channels, width))
                scale = tirx.reinterpret("int32", buffers["facts"][SCALE])
                tiles.store(buffers["panels"], to + words * PANEL, tiles.splat(scale, PANEL), PANEL)
        return tiles.Built(builder.get())

    def _word(
        self, isa: Isa, buffers: dict[str, tirx.Var], coder: Coder, start: Expr, to: Expr,
        word: Expr, sizes: tuple[Expr, Expr, Expr],
    ) -> None:  # fmt: skip
        """Four rows of all columns of a panel."""
        depth, channels, width = sizes
        first = tiles.local(word * INPUTS)
        at = tiles.local(to + word * PANEL)
        with T.If(width < PANEL), T.Then():
            zero = tiles.splat(tirx.const(0, "int32"), PANEL)
            tiles.store(buffers["panels"], at, zero, PANEL)

        def visit(j: Expr, n: int) -> None:
            joined: Expr | None = None
            for i in range(INPUTS):
                # Beyond the last row its own elements are read again.
                row = tiles.local(tirx.min(first + i, depth - 1)) if i else first
                value = tiles.load(buffers["x"], start + row * channels + j, n)
                code = tirx.bitwise_and(coder.code(value, n), _words(0xFF, n))
                moved = tirx.shift_left(code, _words(8 * i, n)) if i else code
                joined = register(moved if joined is None else tirx.bitwise_or(joined, moved))
            tiles.store(buffers["panels"], at + j, joined, n)

        columns.for_columns(width, isa.lanes, visit)


def _words(value: int, lanes: int) -> Expr:
    return tiles.splat(tirx.const(value, "int32"), lanes)


def append(
    program: Program, source: Pointer, facts: Pointer, matrices: int, depth: int, channels: int,
    *, origin: str = "", nodes: tuple[str, ...] = (),
) -> Pointer:  # fmt: skip
    """Append the step, unless these matrices have been quantised like this before."""
    offset = program.buffers[facts.buffer].offset  # equal facts are stored once
    key = ("static panels", source, offset, matrices, depth, channels)
    if key not in program.quantised:
        spec, name = QuantiseStaticPanels(), f"{program.buffers[source.buffer].name}.panels"
        tasks = spec.tasks(matrices, channels)
        made = program.buffer(name, "int8", (tasks, panel_bytes(depth, I8)))
        program.step(
            spec, "quantise_static_panels", [source, Pointer(made), facts, depth, channels],
            tasks=tasks, label=f"quantise {matrices}x{depth} tokens of {channels} channels",
            origin=origin, nodes=nodes, nbytes=5 * matrices * depth * channels,
            reason="int8 activations, a scale from calibration",
        )  # fmt: skip
        program.quantised[key] = Pointer(made)
    found: Pointer = program.quantised[key]
    return found
