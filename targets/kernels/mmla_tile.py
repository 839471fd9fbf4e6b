"""The tile of matrix instructions: two rows by two columns by eight inputs (`smmla`).

A register of sums is [row 0, row 1] x [column 0, column 1]. Weights lie as words of four inputs per
column; two words of a column side by side are what the instruction wants, so vectors of words are
interleaved (`zip1`, `zip2`). Of an odd number of rows, the last is its own partner.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.dots import as_bytes
from edgemoe.targets.kernels.integer_tile import Tile
from edgemoe.targets.kernels.panels import PANEL
from edgemoe.targets.kernels.vector_math import register

INTERLEAVED = ((0, 4, 1, 5), (2, 6, 3, 7))
"""Words of two vectors of words, side by side for two columns: the first two and the last two."""


def row_pairs(rows: Sequence[Expr]) -> list[tuple[Expr, Expr]]:
    """Rows two by two; of an odd number, the last is its own partner."""
    return [(row, rows[min(n + 1, len(rows) - 1)]) for n, row in enumerate(rows)][::2]


def row_of(totals: tirx.Var, cell: int, which: int) -> Expr:
    """Four columns of row `which` of a pair, of two registers of sums from number `cell` on."""
    halves = [register(totals[T.ramp((cell + h) * 4, 1, 4)]) for h in range(2)]
    return register(tirx.Shuffle(halves, [2, 3, 6, 7] if which else [0, 1, 4, 5]))


class MmlaTile(Tile):
    """As `Tile`, with another inner loop."""

    def _sums(
        self, start: Expr, rows: Sequence[Expr], ahead: Expr | None, offsets: Sequence[Expr | None]
    ) -> list[Expr]:
        pairs = row_pairs(rows)
        cells = len(pairs) * self.vectors * 2
        totals = T.alloc_buffer((cells * 4,), "int32")
        for n in range(cells):
            T.buffer_store(totals, self.dot.word(0), [T.ramp(n * 4, 1, 4)])
        count = self._block_count()
        if self.parts > 1:
            tiles.for_unrolled(
                count, self.tuning.unroll,
                lambda block: self._one_block(totals, start, pairs, block, ahead),
            )  # fmt: skip
        else:
            tiles.for_unrolled(
                tirx.truncdiv(count, 2), self.tuning.unroll,
                lambda number: self._two_words(
                    totals, start, pairs, tiles.local(number * 2), True, ahead
                ),
            )  # fmt: skip
            if not self.given.group:  # a group has an even number of words
                with T.If(tirx.EQ(tirx.truncmod(count, 2), 1)), T.Then():
                    self._two_words(totals, start, pairs, count - 1, False, None)
        return self._without(offsets, self._by_rows(totals, len(rows)))

    def _by_rows(self, totals: tirx.Var, count: int) -> list[Expr]:
        """The sums, a vector of columns per row."""
        return [
            row_of(totals, (i // 2 * self.vectors + j) * 2, i % 2)
            for i in range(count) for j in range(self.vectors)
        ]  # fmt: skip

    def _one_block(
        self, totals: tirx.Var, start: Expr, pairs: Sequence[tuple[Expr, Expr]], block: Expr,
        ahead: Expr | None,
    ) -> None:  # fmt: skip
        """Codes below 8 bits: a block holds two times four inputs, or a multiple of that."""
        self._fetch(ahead, block)
        at = tiles.local(start + block * (self.block_words * PANEL))
        places = [tiles.local(block * self.parts + part) for part in range(0, self.parts, 2)]
        rows = [self._rows(pairs, place, whole=True) for place in places]
        for j in range(self.vectors):
            raw = self._words(at + j * 4, 4)
            for part in range(0, self.parts, 2):
                low, high = (
                    register(self.dot.take(raw, part + n, self.given)) for n in range(2)
                )  # fmt: skip
                self._multiply(totals, rows[part // 2], j, low, high)

    def _two_words(
        self, totals: tirx.Var, start: Expr, pairs: Sequence[tuple[Expr, Expr]], word: Expr,
        whole: bool, ahead: Expr | None,
    ) -> None:  # fmt: skip
        """Codes of 8 bits; without `whole` only the first word of the two exists."""
        self._fetch(ahead, word)
        if whole:
            self._fetch(ahead, word + 1)
        at = tiles.local(start + word * PANEL)
        rows = self._rows(pairs, word, whole)
        for j in range(self.vectors):
            (low,) = self._words(at + j * 4, 4)
            high = self._words(at + (PANEL + j * 4), 4)[0] if whole else self.dot.word(0)
            self._multiply(totals, rows, j, low, high)

    def _multiply(
        self, totals: tirx.Var, rows: Sequence[Expr], j: int, low: Expr, high: Expr
    ) -> None:
        """Add the products of all pairs of rows with four columns."""
        for half, order in enumerate(INTERLEAVED):
            column = register(tirx.Shuffle([low, high], order))
            for p, row in enumerate(rows):
                cell = T.ramp(((p * self.vectors + j) * 2 + half) * 4, 1, 4)
                total = T.call_llvm_pure_intrin(
                    "int32x4", "llvm.aarch64.neon.smmla.v4i32.v16i8", totals[cell],
                    as_bytes(row, 4), as_bytes(column, 4),
                )  # fmt: skip
                T.buffer_store(totals, total, [cell])

    def _rows(self, pairs: Sequence[tuple[Expr, Expr]], place: Expr, whole: bool) -> list[Expr]:
        return [register(self._two_rows(pair, place, whole)) for pair in pairs]

    def _two_rows(self, pair: tuple[Expr, Expr], place: Expr, whole: bool) -> Expr:
        """Eight inputs of either row."""
        a = self.buffers["a"]
        if whole:
            words = [register(tiles.load(a, row + place, 2)) for row in pair]
            return tirx.Shuffle(words, [0, 1, 2, 3])
        zero = tirx.const(0, "int32")
        singles = [register(a[row + place]) for row in pair]
        return tirx.Shuffle([singles[0], zero, singles[1], zero], [0, 1, 2, 3])
