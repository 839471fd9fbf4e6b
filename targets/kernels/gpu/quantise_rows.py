"""Rows of activations as codes of int8 in 32-bit words, rounded on the device, per row and group.

    scale = max |x| / 127,  code = round(x * (127 / max |x|))

One work-group per row and group of inputs that share a scale. Word w of a row holds four codes,
lowest byte first, `apart` inputs apart: inputs 4w to 4w + 3 beside weights of 8 and 3 bits; beside
weights of 4 bits, word 2b has inputs 8b, 8b + 2, .. and word 2b + 1 those between; beside weights
of 2 bits, word 4b + r has inputs 16b + r, 16b + r + 4, .., because masks take words of weights
apart that way (`integer_tile`). Inputs beyond the depth are zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe import kv_cache
from edgemoe.plan import Pointer
from edgemoe.targets.gpu.program import GpuProgram
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu import cache_words, grid
from edgemoe.targets.kernels.gpu.row_codes import codes_scale, rounded_code
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.kernels.vector_math import register

TEMPLATE = "quantise_rows"


@dataclass(frozen=True)
class QuantiseRows:
    """`rows` rows of `depth` floats as `groups` groups of `words` words each."""

    rows: int
    depth: int
    groups_of_row: int
    words: int
    apart: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, codes, scales)."""
        return ("float*", "uint32_t*", "float*")

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.rows * self.groups_of_row

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        names = {"x": "float32", "codes": "uint32", "scales": "float32"}
        return grid.kernel(names, self.groups, self.threads, self._emit, device.subgroups)

    def _emit(self, at: grid.Grid) -> None:
        row = register(tirx.truncdiv(at.group, self.groups_of_row))
        start = register(tirx.truncmod(at.group, self.groups_of_row) * (4 * self.words))
        x, first = at.buffers["x"], register(row * self.depth + start)

        def element(j: Expr) -> Expr:
            if self.groups_of_row * self.words * 4 == self.depth:
                return x[first + j]
            inside = start + j < self.depth
            return tirx.if_then_else(inside, x[first + j], tirx.const(0.0, "float32"))

        values = grid.shared(self.threads)
        scale, inverse = codes_scale(
            at, values, self.threads, 4 * self.words, element, kv_cache.SMALLEST
        )
        with grid.when(tirx.EQ(at.thread, 0)):
            T.buffer_store(at.buffers["scales"], scale, [at.group])

        def word(i: Expr) -> None:
            apart = self.apart
            begin = register(tirx.truncdiv(i, apart) * (4 * apart) + tirx.truncmod(i, apart))
            places = [begin + apart * j for j in range(4)]
            codes = [rounded_code(register(element(place)), inverse) for place in places]
            T.buffer_store(
                at.buffers["codes"], cache_words.join(codes, "int8"), [at.group * self.words + i]
            )

        grid.strided(at.thread, self.words, self.threads, word)


def row_words(layout: Layout) -> int:
    """Words of a row that meets weights of this layout."""
    return layout.blocks * layout.block_inputs // 4


def inputs_apart(layout: Layout) -> int:
    """Inputs from one byte of a word to the next, beside weights of this layout."""
    return {4: 2, 2: 4}.get(layout.given.bits, 1)


def quantised(
    program: GpuProgram, x: int, rows: int, layout: Layout, **facts: Any
) -> list[Pointer]:
    """Pointers to the codes and scales of a buffer; equal ones are computed once.

    A buffer that is written again later (none is: programs assign once) would need a key of time.
    """
    apart, words = inputs_apart(layout), row_words(layout)
    key = ("gpu rows", x, layout.groups, words, apart)
    if key not in program.quantised:
        threads = min(program.gpu.threads, 64)
        each = words // layout.groups
        while threads > 1 and threads // 2 >= 4 * each:
            threads //= 2
        name = program.buffers[x].name
        codes = program.buffer(f"{name}.codes", "uint32", (rows, words))
        scales = program.buffer(f"{name}.scales", "float32", (rows, layout.groups))
        spec = QuantiseRows(rows, layout.depth, layout.groups, each, apart, threads)
        program.step(
            spec, TEMPLATE, [Pointer(x), Pointer(codes), Pointer(scales)],
            label=f"int8 codes of {rows} rows of {layout.depth}",
            nbytes=rows * (4 * layout.depth + 4 * words + 4 * layout.groups),
            reason="products of int8 read rows of int8", **facts,
        )  # fmt: skip
        program.quantised[key] = [Pointer(codes), Pointer(scales)]
    found: list[Pointer] = program.quantised[key]
    return found
