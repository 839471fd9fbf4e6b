"""The register tile of int8 rows and a panel of integer codes, in float32.

    out[m, n] = sum over groups g of row_scale[m, g] * scale[n, g]
                * (sum over k in g of a[m, k] * code[n, k] - zero[n, g] * row_sum[m, g])

The inner sum is exact. `quantise_rows` makes a, row_scale and row_sum. Where rows and columns have
changed places (weights are the rows, activations the panels, see `token_mix_int8`), there is a
pointer `zeros` to what stands for row_sum beside zero: a zero point per row and group, which meets
the sum of a column's codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import opaque
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.dots import INPUTS, Dot
from edgemoe.targets.kernels.fetch import Fetch
from edgemoe.targets.kernels.panel_scales import load_scale
from edgemoe.targets.kernels.panels import PANEL, block_inputs, block_words, scale_words
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat

Fetching = Callable[[Expr, Expr], Fetch]
"""Makes the `Fetch` of a tile from the start and the size of its panel."""


FEW = 6
"""Vectors of float32 sums that stay in registers beside those of integers."""


def groups_of(depth: Expr, given: WeightFormat) -> Expr:
    """Groups of a run-time depth."""
    return tirx.truncdiv(depth + (given.group - 1), given.group) if given.group else tirx.const(1)


def blocks_of(depth: Expr, given: WeightFormat) -> Expr:
    """Blocks of words of one column in one group."""
    each = block_inputs(given)
    return tirx.const(given.group // each) if given.group else tirx.truncdiv(depth + each - 1, each)


def words_of(depth: Expr, given: WeightFormat) -> Expr:
    """Words of one column in one group."""
    return blocks_of(depth, given) * block_words(given)


class Tile:
    """The emission of one tile."""

    def __init__(
        self, given: WeightFormat, dot: Dot, isa: Isa, buffers: Mapping[str, tirx.Var],
        rows: Sequence[Expr], depth: Expr, panel: Expr, following: Fetching,
        tuning: Tuning = DEFAULT,
    ) -> None:  # fmt: skip
        self.tuning = tuning
        self.given, self.dot, self.isa, self.buffers = given, dot, isa, buffers
        self.lanes, self.rows = isa.lanes, rows
        self.block_words = block_words(given)
        self.parts = block_inputs(given) // INPUTS
        self.copies = 1 + dot.magnitudes(given)
        self.groups = tiles.local(groups_of(depth, given))
        self.blocks = tiles.local(blocks_of(depth, given))
        self.words = tiles.local(words_of(depth, given))
        self.block = tiles.local(self.words * PANEL + scale_words(given))
        self.panel = panel
        self.start = tiles.local(panel * self.groups * self.block)
        self.fetch = following(self.start, tiles.local(self.groups * self.block))
        row_words = tiles.local(self.groups * self.blocks * (self.parts * self.copies))
        self.row_starts = [tiles.local(row * row_words) for row in rows]
        self.facts = [tiles.local(row * self.groups) for row in rows]
        widest = dot.widest(given, tiles.WIDE_SUMS[self.lanes] * self.lanes // PANEL)
        self.width = PANEL if len(rows) <= widest else tuning.columns or tiles.part_width(isa)
        self.vectors = self.width // self.lanes

    def emit(self) -> Expr:
        """Emit the tile; the address of its float32 [rows, PANEL]."""
        values = T.alloc_buffer((len(self.rows) * PANEL,), "float32")
        for first in range(0, PANEL, self.width):
            if not self.given.group:
                self._group(values, self._places(first), first, tirx.const(0), adds=False)
                continue
            # Few sums stay in registers from group to group: LLVM keeps an array there as long as
            # no other function gets its address.
            few = len(self._cells()) <= FEW
            totals = (
                T.alloc_buffer((len(self._cells()) * self.lanes,), "float32") if few else values
            )
            at = [T.ramp(n * self.lanes, 1, self.lanes) for n in range(len(self._cells()))]
            places = at if few else self._places(first)
            zero = tirx.Broadcast(tirx.const(0.0, "float32"), self.lanes)
            for place in places:
                T.buffer_store(totals, zero, [place])
            with T.serial(0, self.groups) as g:
                self._group(totals, places, first, g, adds=True)
            if few:
                for place, cell in zip(self._places(first), at, strict=True):
                    T.buffer_store(values, totals[cell], [place])
        return T.address_of(values[0])

    def _cells(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(len(self.rows)) for j in range(self.vectors)]

    def _places(self, first: int) -> list[Expr]:
        """Where the cells lie in [rows, PANEL]."""
        return [T.ramp(i * PANEL + first + j * self.lanes, 1, self.lanes) for i, j in self._cells()]

    def _group(
        self, totals: tirx.Var, places: Sequence[Expr], first: int, g: Expr, *, adds: bool
    ) -> None:
        """Write the group's share to `totals`, or add it."""
        start = tiles.local(self.start + g * self.block)
        rows = [tiles.local(at + g * self.blocks * (self.parts * self.copies))
                for at in self.row_starts]  # fmt: skip
        # Both passes of a tile that takes half panels read the same lines: one fetch is enough.
        ahead = None
        if first == 0:
            far = tirx.Select(
                tirx.EQ(self.fetch.alone, 1), g * self.block, g * self.words * self.fetch.step * 2
            )
            ahead = tiles.local(self.fetch.start + far)
        sums = self._sums(start + first, rows, ahead, self._offsets(first, g))
        scales_at = tiles.local(start + self.words * PANEL)
        scales = [
            load_scale(
                self.buffers["weights"], scales_at, first + j * self.lanes, self.lanes, self.given
            )
            for j in range(self.vectors)
        ]
        for i in range(len(self.rows)):
            row_scale = register(self._splat(self.buffers["scales"][self.facts[i] + g]))
            share = None
            if self.given.zero_points:
                share = self.buffers.get("zeros", self.buffers["sums"])[self.facts[i] + g]
                share = register(self._splat(tirx.Cast("float32", share)))
            for j, (scale, zero) in enumerate(scales):
                cell = i * self.vectors + j
                value = tirx.Cast(typed("float32", self.lanes), sums[cell])
                if share is not None:
                    value = value - zero * share
                value = value * (scale * row_scale)
                at = places[cell]
                T.buffer_store(totals, totals[at] + value if adds else value, [at])

    def _offsets(self, first: int, g: Expr) -> list[Expr | None]:
        """What the sums of columns `first` and on have too much in group g, by cell."""
        del first
        by_row = [self._offset(i, g) for i in range(len(self.rows))]
        return [by_row[i] for i, _ in self._cells()]

    def _offset(self, i: int, g: Expr) -> Expr | None:
        """What row i's sums of a group have too much, in every lane; None for nothing.

        Stored codes of 8 bits are signed; the code of 0 is in the zero point, where there is one.
        """
        offset = self.dot.bias(self.given)
        if self.given.bits < 8 and not self.given.zero_points:
            offset += self.given.zero
        if not offset:
            return None
        return register(self._splat(self.buffers["sums"][self.facts[i] + g] * offset))

    def _splat(self, value: Expr) -> Expr:
        return tirx.Broadcast(value, self.lanes)

    def _fetch(self, ahead: Expr | None, block: Expr) -> None:
        """Emit the prefetches of the two cache lines of each row of words of a block."""
        if ahead is None:
            return
        for word in range(self.block_words):
            at = tiles.local(ahead + (block * self.block_words + word) * (self.fetch.step * 2))
            self.fetch.line(at)
            self.fetch.line(at + tiles.CACHE_LINE // 4)

    def _sums(
        self, start: Expr, rows: Sequence[Expr], ahead: Expr | None, offsets: Sequence[Expr | None]
    ) -> list[Expr]:
        """int32 sums of one group without the `offsets`, a vector per cell."""
        dtype, each = self.dot.sums(self.given)
        limit = self.dot.steps(self.given)
        cells = range(len(self.rows) * self.vectors)

        def sums_over(first: Expr, count: Expr) -> list[Expr]:
            totals = self._zeros(dtype, each)
            tiles.for_unrolled(
                count, self.tuning.unroll,
                lambda block: self._block(totals, each, start, rows, first + block, ahead),
            )  # fmt: skip
            return [self.dot.widened(totals[T.ramp(n * each, 1, each)], self.given) for n in cells]

        if limit is None and (dtype, each) == ("int32", self.lanes):
            return self._chained(start, rows, ahead, offsets)
        if limit is None:
            return self._without(offsets, sums_over(tirx.const(0), self._block_count()))
        group = self.given.group // block_inputs(self.given)
        fold = max(n for n in range(1, group + 1) if group % n == 0 and n * self.parts <= limit)
        if fold == group:
            return self._without(offsets, sums_over(tirx.const(0), self._count(fold)))
        wide = self._zeros("int32", self.lanes)
        places = [T.ramp(n * self.lanes, 1, self.lanes) for n in cells]
        with T.serial(0, group // fold) as number:
            parts = sums_over(tiles.local(number * fold), self._count(fold))
            for at, part in zip(places, parts, strict=True):
                T.buffer_store(wide, wide[at] + part, [at])
        return self._without(offsets, [wide[at] for at in places])

    def _without(self, offsets: Sequence[Expr | None], sums: Sequence[Expr]) -> list[Expr]:
        """`sums`, a vector per cell, less their offsets."""
        return [
            total if offset is None else total - offset
            for total, offset in zip(sums, offsets, strict=True)
        ]

    def _chained(
        self, start: Expr, rows: Sequence[Expr], ahead: Expr | None, offsets: Sequence[Expr | None]
    ) -> list[Expr]:
        """The sums where nothing has to be widened: offsets are where they begin.

        Few rows have too few sums to hide the latency of a product: then there are several per
        cell, which is as exact. Where there is one per part of a block, codes stay at their place
        in the byte, and the sum is shifted once.
        """
        given, dot = self.given, self.dot
        cells = len(self.rows) * self.vectors
        chains = dot.chains(cells, given)
        in_place = chains % self.parts == 0 and self.parts > 1 and dot.takes_in_place
        totals = self._zeros("int32", self.lanes, chains)
        for n in range(cells):
            offset = offsets[n]
            if offset is not None:
                at = T.ramp(n * self.lanes, 1, self.lanes)
                T.buffer_store(totals, dot.word(0) - offset, [at])

        def block(number: Expr, turn: int) -> None:
            def place(part: int) -> int:
                return (turn * self.parts + part) % chains * cells

            self._block(totals, self.lanes, start, rows, number, ahead, place, in_place=in_place)

        turns = max(self.tuning.unroll, -(-chains // self.parts))
        tiles.for_turns(self._block_count(), turns, block)
        found = []
        for n in range(cells):
            parts = [
                totals[T.ramp((chain * cells + n) * self.lanes, 1, self.lanes)]
                for chain in range(chains)
            ]
            if in_place:
                parts = [_total(parts[part :: self.parts]) for part in range(self.parts)]
                parts = [
                    tirx.shift_right(total, dot.word(part * given.bits)) if part else total
                    for part, total in enumerate(parts)
                ]
            found.append(_total(parts))
        return found

    def _count(self, number: int) -> Expr:
        """The number of turns of a loop over blocks."""
        return tiles.local(opaque.count(number) if self.dot.rolls_groups else number)

    def _block_count(self) -> Expr:
        group = self.given.group
        return self._count(group // block_inputs(self.given)) if group else self.blocks

    def _zeros(self, dtype: str, each: int, chains: int = 1) -> tirx.Var:
        cells = len(self.rows) * self.vectors * chains
        array = T.alloc_buffer((cells * each,), dtype)
        for n in range(cells):
            zero = tirx.Broadcast(tirx.const(0, dtype), each)
            T.buffer_store(array, zero, [T.ramp(n * each, 1, each)])
        return array

    def _block(
        self, totals: tirx.Var, each: int, start: Expr, rows: Sequence[Expr], block: Expr,
        ahead: Expr | None, first: Callable[[int], int] = lambda part: 0, *, in_place: bool = False,
    ) -> None:  # fmt: skip
        """Add the products of one block of words; those of a part to the cells from `first` on."""
        at = tiles.local(start + block * (self.block_words * PANEL))
        self._fetch(ahead, block)
        raw = [self._words(at + j * self.lanes, self.lanes) for j in range(self.vectors)]
        for part in range(self.parts):
            take = self.dot.take_in_place if in_place else self.dot.take
            codes = [register(take(words, part, self.given)) for words in raw]
            for i, row in enumerate(rows):
                place = row + (block * self.parts + part) * self.copies
                activations = [
                    register(self.dot.spread(self.buffers["a"][place + copy]))
                    for copy in range(self.copies)
                ]
                for j, code in enumerate(codes):
                    cell = T.ramp((first(part) + i * self.vectors + j) * each, 1, each)
                    total = self.dot.add(totals[cell], code, activations, self.given)
                    T.buffer_store(totals, total, [cell])

    def _words(self, at: Expr, lanes: int) -> list[Expr]:
        """The words of a block, of `lanes` columns."""
        weights = self.buffers["weights"]
        return [
            register(tiles.load(weights, at + word * PANEL, lanes))
            for word in range(self.block_words)
        ]


def _total(parts: Sequence[Expr]) -> Expr:
    first, *rest = parts
    for part in rest:
        first = first + part
    return first
