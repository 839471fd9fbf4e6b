"""The register tiles of bfloat16 rows and a panel of bfloat16 weights, in float32.

    out[m, n] = sum over k of a[m, k] * w[n, k], pair by pair in the order of k

The bits of a row do not depend on the rows beside it: both tiles add the same pairs in one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.bfloat16_dots import Bf16Dot
from edgemoe.targets.kernels.integer_tile import Fetching
from edgemoe.targets.kernels.mmla_tile import INTERLEAVED, row_of, row_pairs
from edgemoe.targets.kernels.panels import LINE, PANEL
from edgemoe.targets.kernels.tuning import Tuning
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.spec import Isa


def pairs_of(depth: Expr) -> Expr:
    """Pairs of inputs of a run-time depth: an even number, see `panels.input_pairs`."""
    return tirx.truncdiv(depth + 3, 4) * 2


class Tile:
    """The emission of one tile, whose sums are a vector of columns per row."""

    def __init__(
        self, dot: Bf16Dot, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr],
        depth: Expr, panel: Expr, following: Fetching, tuning: Tuning,
    ) -> None:  # fmt: skip
        self.dot, self.lanes, self.rows, self.tuning = dot, isa.lanes, rows, tuning
        self.a, self.stored = buffers["a"], buffers["weights"]
        self.pairs = tiles.local(pairs_of(depth))
        size = tiles.local(self.pairs * PANEL)
        self.start = tiles.local(panel * size)
        self.fetch = following(self.start, size)
        each = tiles.local(self.pairs * dot.row_words)
        self.starts = [tiles.local(row * each) for row in rows]
        self.width = tiles.tile_width(isa, len(rows), tuning.columns)
        self.vectors = self.width // self.lanes

    def emit(self) -> Expr:
        """Emit the tile; the address of its float32 [rows, PANEL]."""
        values = T.alloc_buffer((len(self.rows) * PANEL,), "float32")
        for first in range(0, PANEL, self.width):
            halves = range(first // LINE, -(-(first + self.width) // LINE))
            self.streams = [tiles.local(self.start + h * self.pairs * LINE) for h in halves]
            self.ahead = [
                tiles.local(self.fetch.start + half * self.pairs * self.fetch.step)
                for half in halves if self.fetch.is_on
            ]  # fmt: skip
            self.first = first % LINE
            for n, total in enumerate(self._sums()):
                at = n // self.vectors * PANEL + first + n % self.vectors * self.lanes
                tiles.store(values, at, total, self.lanes)
        return T.address_of(values[0])

    def _zeros(self, cells: int) -> tirx.Var:
        sums = T.alloc_buffer((cells * self.lanes,), "float32")
        for n in range(cells):
            zero = tiles.splat(tirx.const(0.0, "float32"), self.lanes)
            tiles.store(sums, n * self.lanes, zero, self.lanes)
        return sums

    def _sums(self) -> list[Expr]:
        cells = len(self.rows) * self.vectors
        sums = self._zeros(cells)
        tiles.for_unrolled(self.pairs, self.tuning.unroll, lambda pair: self._pair(sums, pair))
        return [tiles.load(sums, n * self.lanes, self.lanes) for n in range(cells)]

    def _fetch(self, pair: Expr) -> None:
        for begun in self.ahead:
            self.fetch.line(begun + pair * self.fetch.step)

    def _words(self, pair: Expr, j: int) -> Expr:
        """The words of vector `j` of the columns."""
        column = self.first + j * self.lanes
        at = self.streams[column // LINE] + pair * LINE + column % LINE
        return register(tiles.load(self.stored, at, self.lanes))

    def _pair(self, sums: tirx.Var, pair: Expr) -> None:
        """Add the products of one pair of inputs; the fewer operands wait in registers."""
        self._fetch(pair)

        def inputs(i: int) -> list[Expr]:
            return self.dot.inputs(self.a, self.starts[i] + pair * self.dot.row_words)

        def weights(j: int) -> list[Expr]:
            return self.dot.weights(self._words(pair, j))

        def add(i: int, j: int, values: Sequence[Expr], shares: Sequence[Expr]) -> None:
            at = (i * self.vectors + j) * self.lanes
            total = self.dot.add(tiles.load(sums, at, self.lanes), values, shares)
            tiles.store(sums, at, total, self.lanes)

        if len(self.rows) <= self.vectors:
            values = [inputs(i) for i in range(len(self.rows))]
            for j in range(self.vectors):
                shares = weights(j)
                for i, value in enumerate(values):
                    add(i, j, value, shares)
        else:
            kept = [weights(j) for j in range(self.vectors)]
            for i in range(len(self.rows)):
                value = inputs(i)
                for j, shares in enumerate(kept):
                    add(i, j, value, shares)


class MmlaTile(Tile):
    """The tile of `bfmmla`: two rows by two columns by four inputs, as `mmla_tile` has it."""

    def _sums(self) -> list[Expr]:
        pairs = row_pairs(self.starts)
        sums = self._zeros(len(pairs) * self.vectors * 2)

        def two_pairs(number: Expr) -> None:
            pair = tiles.local(number * 2)
            self._fetch(pair)
            self._fetch(pair + 1)
            values = [
                register(tirx.Shuffle(
                    [register(tiles.load(self.a, start + pair, 2)) for start in starts],
                    [0, 1, 2, 3],
                ))
                for starts in pairs
            ]  # fmt: skip
            for j in range(self.vectors):
                words = [self._words(pair + n, j) for n in range(2)]
                for half, order in enumerate(INTERLEAVED):
                    columns = register(tirx.Shuffle(words, order))
                    for p, value in enumerate(values):
                        at = ((p * self.vectors + j) * 2 + half) * 4
                        total = self.dot.call("bfmmla", tiles.load(sums, at, 4), value, columns)
                        tiles.store(sums, at, total, 4)

        tiles.for_unrolled(tirx.truncdiv(self.pairs, 2), self.tuning.unroll, two_pairs)
        cells = [(i, j) for i in range(len(self.rows)) for j in range(self.vectors)]
        return [row_of(sums, (i // 2 * self.vectors + j) * 2, i % 2) for i, j in cells]
