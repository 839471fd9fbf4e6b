"""Rows of float32 times panels of integer codes, which become floats in registers.

    out[m, n] = sum over groups g of scale[n, g] * sum over k in g of a[m, k] * (code - zero)[n, k]

Only the weights are rounded: for models whose activations do not bear int8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import scalar_dequantised, three_bits
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.fetch import Fetch
from edgemoe.targets.kernels.integer_tile import Fetching, blocks_of, groups_of, words_of
from edgemoe.targets.kernels.panel_scales import load_scale
from edgemoe.targets.kernels.panels import PANEL, block_inputs, block_words, scale_words
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class DequantisedProduct:
    """The product of one weight format."""

    given: WeightFormat
    tuning: Tuning = DEFAULT

    @property
    def pointers(self) -> dict[str, str]:
        """The rows and the weights."""
        return {"a": "float32", "weights": "int32"}

    def panel_elements(self, depth: Expr) -> Expr:
        """See `Product`."""
        words = words_of(depth, self.given) * PANEL + scale_words(self.given)
        return groups_of(depth, self.given) * words

    def tallest(self, isa: Isa) -> int:
        """See `Product`; words, and the floats that are made of them, take registers too."""
        return {16: 12, 8: 6, 4: 4, 1: scalar_dequantised.ROWS}[isa.lanes]

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """See `Product`."""
        given, lanes = self.given, isa.lanes
        if lanes == 1:
            return scalar_dequantised.emit(given, buffers, rows, depth, panel)
        groups = tiles.local(groups_of(depth, given))
        words = tiles.local(words_of(depth, given))
        block = tiles.local(words * PANEL + scale_words(given))
        panel_start = tiles.local(panel * groups * block)
        fetch = fetching(panel_start, tiles.local(groups * block))
        starts = [tiles.local(row * depth) for row in rows]
        values = T.alloc_buffer((len(rows) * PANEL,), "float32")
        widest = {16: 12, 8: 1, 4: 0}[lanes]
        width = PANEL if len(rows) <= widest else tiles.part_width(isa)
        zero = tirx.Broadcast(tirx.const(0.0, "float32"), lanes)
        for first in range(0, PANEL, width):
            places = [
                (i, T.ramp(i * PANEL + first + j, 1, lanes), i * width + j, j)
                for i in range(len(rows)) for j in range(0, width, lanes)
            ]  # fmt: skip
            for _, at, _, _ in places:
                T.buffer_store(values, zero, [at])
            with T.serial(0, groups) as g:
                start = tiles.local(panel_start + g * block)
                scales = [
                    load_scale(buffers["weights"], start + words * PANEL, first + j, lanes, given)
                    for j in range(0, width, lanes)
                ]
                sums = T.alloc_buffer((len(rows) * width,), "float32")
                for _, _, cell, _ in places:
                    T.buffer_store(sums, zero, [T.ramp(cell, 1, lanes)])
                inputs = tiles.local(blocks_of(depth, given) * block_inputs(given))
                self._group(
                    lanes, buffers, [tiles.local(s + g * inputs) for s in starts], start + first,
                    tiles.local(tirx.min(depth - g * inputs, inputs)), sums, width,
                    [zero for _, zero in scales], fetch if first == 0 else None,
                )  # fmt: skip
                for _, at, cell, j in places:
                    part = sums[T.ramp(cell, 1, lanes)] * scales[j // lanes][0]
                    T.buffer_store(values, values[at] + part, [at])
        return T.address_of(values[0])

    def _group(
        self, lanes: int, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], start: Expr,
        inputs: Expr, sums: tirx.Var, width: int, zeros: Sequence[Expr | None],
        fetch: Fetch | None,
    ) -> None:  # fmt: skip
        """Add the products of one group; the inputs beyond its end have no row to read."""
        each, words = block_inputs(self.given), range(block_words(self.given))

        def block(number: Expr, count: int | None) -> None:
            at = tiles.local(start + number * (len(words) * PANEL))
            if fetch is not None:
                for word in words:
                    near = at + (self.tuning.prefetch // 4 + word * PANEL)
                    fetch.line(near)
                    fetch.line(near + tiles.CACHE_LINE // 4)
            raw = [
                [register(tiles.load(buffers["weights"], at + (word * PANEL + j), lanes))
                 for word in words]
                for j in range(0, width, lanes)
            ]  # fmt: skip
            left = tirx.const(each) if count is None else inputs - number * each
            for k in range(each):
                if count is None:
                    self._input(lanes, buffers, rows, number * each + k, raw, k, sums, width, zeros)
                    continue
                with T.If(k < left), T.Then():
                    self._input(lanes, buffers, rows, number * each + k, raw, k, sums, width, zeros)

        whole = tiles.local(tirx.truncdiv(inputs, each))
        tiles.for_unrolled(whole, self.tuning.unroll, lambda number: block(number, None))
        with T.If(whole * each < inputs), T.Then():
            block(whole, 0)

    def _input(
        self, lanes: int, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], k: Expr,
        raw: Sequence[Sequence[Expr]], place: int, sums: tirx.Var, width: int,
        zeros: Sequence[Expr | None],
    ) -> None:  # fmt: skip
        """Add the products of one input."""
        usual = tirx.Broadcast(tirx.const(float(self.given.zero), "float32"), lanes)
        weights = []
        for words, zero in zip(raw, zeros, strict=True):
            value = tirx.Cast(typed("float32", lanes), self._code(words, place, lanes))
            if zero is not None:
                value = value - zero
            elif self.given.bits < 8:  # codes of 8 bits are signed as they lie there
                value = value - usual
            weights.append(register(value))
        for i, row in enumerate(rows):
            value = register(tirx.Broadcast(buffers["a"][row + k], lanes))
            for j, weight in enumerate(weights):
                at = T.ramp(i * width + j * lanes, 1, lanes)
                T.buffer_store(sums, sums[at] + value * weight, [at])

    def _code(self, words: Sequence[Expr], place: int, lanes: int) -> Expr:
        """The code of input 4p + i, which lies in byte i, at bits p * bits and up."""
        bits = self.given.bits

        def by(count: int) -> Expr:
            return tirx.Broadcast(tirx.const(count, "int32"), lanes)

        if bits == 3:
            four = three_bits.take(words, place // 4, by)
            return tirx.bitwise_and(tirx.shift_right(four, by(place % 4 * 8)), by(7))
        low = place % 4 * 8 + place // 4 * bits
        if bits == 8:
            return tirx.shift_right(tirx.shift_left(words[0], by(24 - low)), by(24))
        return tirx.bitwise_and(tirx.shift_right(words[0], by(low)), by((1 << bits) - 1))
