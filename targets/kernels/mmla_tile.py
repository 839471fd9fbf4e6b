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


class MmlaTile(Tile):
    """As `Tile`, with another inner loop."""

    def _sums(self, start: Expr, rows: Sequence[Expr], prefetch: bool) -> list[Expr]:
        pairs = [(row, rows[min(n + 1, len(rows) - 1)]) for n, row in enumerate(rows)][::2]
        cells = len(pairs) * self.vectors * 2
        totals = T.alloc_buffer((cells * 4,), "int32")
        for n in range(cells):
            T.buffer_store(totals, self.dot.word(0), [T.ramp(n * 4, 1, 4)])
        if self.parts > 1:
            tiles.for_unrolled(
                self.words, self.tuning.unroll,
                lambda word: self._one_word(totals, start, pairs, word, prefetch),
            )  # fmt: skip
        else:
            tiles.for_unrolled(
                tirx.truncdiv(self.words, 2), self.tuning.unroll,
                lambda number: self._two_words(
                    totals, start, pairs, tiles.local(number * 2), True, prefetch
                ),
            )  # fmt: skip
            with T.If(tirx.EQ(tirx.truncmod(self.words, 2), 1)), T.Then():
                self._two_words(totals, start, pairs, self.words - 1, False, False)
        return self._by_rows(totals, len(rows))

    def _by_rows(self, totals: tirx.Var, count: int) -> list[Expr]:
        """The sums, a vector of columns per row."""
        found = []
        for i in range(count):
            for j in range(self.vectors):
                cell = (i // 2 * self.vectors + j) * 2
                halves = [register(totals[T.ramp((cell + h) * 4, 1, 4)]) for h in range(2)]
                places = [2, 3, 6, 7] if i % 2 else [0, 1, 4, 5]
                found.append(register(tirx.Shuffle(halves, places)))
        return found

    def _load(self, at: Expr, prefetch: bool) -> list[Expr]:
        if prefetch:
            tiles.fetch_ahead(self.buffers["weights"], at, self.tuning.prefetch, 4)
        return [
            register(tiles.load(self.buffers["weights"], at + j * 4, 4))
            for j in range(self.vectors)
        ]

    def _one_word(
        self, totals: tirx.Var, start: Expr, pairs: Sequence[tuple[Expr, Expr]], word: Expr,
        prefetch: bool,
    ) -> None:  # fmt: skip
        """Codes below 8 bits: a word holds two, or four, blocks of four inputs."""
        raw = self._load(tiles.local(start + word * PANEL), prefetch)
        for part in range(0, self.parts, 2):
            low, high = (
                [register(self.dot.take(vector, part + n, self.given)) for vector in raw]
                for n in range(2)
            )
            self._multiply(totals, pairs, word * self.parts + part, low, high, whole=True)

    def _two_words(
        self, totals: tirx.Var, start: Expr, pairs: Sequence[tuple[Expr, Expr]], word: Expr,
        whole: bool, prefetch: bool,
    ) -> None:  # fmt: skip
        """Codes of 8 bits; without `whole` only the first word of the two exists."""
        at = tiles.local(start + word * PANEL)
        low = self._load(at, prefetch)
        if whole:
            high = self._load(tiles.local(at + PANEL), prefetch)
        else:
            high = [register(self.dot.word(0)) for _ in low]
        self._multiply(totals, pairs, word, low, high, whole)

    def _multiply(
        self, totals: tirx.Var, pairs: Sequence[tuple[Expr, Expr]], place: Expr,
        low: Sequence[Expr], high: Sequence[Expr], whole: bool,
    ) -> None:  # fmt: skip
        columns = [
            register(tirx.Shuffle([one, other], order))
            for one, other in zip(low, high, strict=True)
            for order in ([0, 4, 1, 5], [2, 6, 3, 7])
        ]
        for p, pair in enumerate(pairs):
            both = register(self._two_rows(pair, place, whole))
            for c, column in enumerate(columns):
                cell = T.ramp((p * len(columns) + c) * 4, 1, 4)
                total = T.call_llvm_pure_intrin(
                    "int32x4", "llvm.aarch64.neon.smmla.v4i32.v16i8", totals[cell],
                    as_bytes(both, 4), as_bytes(column, 4),
                )  # fmt: skip
                T.buffer_store(totals, total, [cell])

    def _two_rows(self, pair: tuple[Expr, Expr], place: Expr, whole: bool) -> Expr:
        """Eight inputs of either row."""
        a = self.buffers["a"]
        if whole:
            words = [register(tiles.load(a, row + place, 2)) for row in pair]
            return tirx.Shuffle(words, [0, 1, 2, 3])
        zero = tirx.const(0, "int32")
        singles = [register(a[row + place]) for row in pair]
        return tirx.Shuffle([singles[0], zero, singles[1], zero], [0, 1, 2, 3])
