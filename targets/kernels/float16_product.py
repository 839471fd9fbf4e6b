"""Rows that are rounded to float16 times panels of float16 weights.

Where the instruction set adds up vectors of float16 (`fmla` of FEAT_FP16: twice the products of
one of float32, and nothing is widened), sums of `CHUNK` inputs are float16, and the sums of those
float32:

    out[m, n] = sum over chunks c of (sum over k in c of a[m, k] * w[n, k] in float16)

A chunk begins at a multiple of CHUNK, whatever rows are beside it. Elsewhere products and sums are
float32. A sum of a chunk beyond 65504 is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.fetch import Fetch
from edgemoe.targets.kernels.integer_tile import Fetching
from edgemoe.targets.kernels.panels import LINE, PANEL
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.spec import Isa

CHUNK = 16
"""Inputs whose products are added up in float16. Rounding the sums costs 6e-4 of a product, however
many inputs it has (`python -m benchmarks.half_sums`), and widening them a quarter of the time of
the products; with 8, it would be 4e-4 and a half."""

HALVES = 8
"""float16 of a vector register."""

TALLEST = 4
"""Rows of a tile of half a panel: 8 registers of float16 sums, 16 of float32, 4 of inputs, 2 of
weights."""


def adds_halves(isa: Isa) -> bool:
    """Tell whether an instruction set adds up in float16."""
    return isa.f16 != "widened"


def row_words(depth: Expr) -> Expr:
    """32-bit words of a row of float16, which is filled up to whole chunks."""
    return tirx.truncdiv(depth + (CHUNK - 1), CHUNK) * (CHUNK // 2)


@dataclass(frozen=True)
class Float16Product:
    """The product of the format `f16.a16`."""

    tuning: Tuning = DEFAULT

    @property
    def pointers(self) -> dict[str, str]:
        """The rows, as `round_rows` makes them (float16 in pairs, or float32), and the weights."""
        return {"a": "float32", "weights": "uint16"}

    def panel_elements(self, depth: Expr) -> Expr:
        """See `Product`."""
        return depth * PANEL

    def tallest(self, isa: Isa) -> int:
        """See `Product`."""
        return self.tuning.rows or (TALLEST if adds_halves(isa) else tiles.tallest_tile(isa))

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """See `Product`."""
        size = tiles.local(self.panel_elements(depth))
        start = tiles.local(panel * size)
        fetch = fetching(start, size)
        if not adds_halves(isa):
            starts = [tiles.local(row * depth) for row in rows]
            return tiles.accumulate(
                isa, buffers["a"], starts, depth, buffers["weights"], start, "float16", fetch,
                self.tuning,
            )  # fmt: skip
        words = tiles.local(row_words(depth))
        starts = [tiles.local(row * words) for row in rows]
        values = T.alloc_buffer((len(rows) * PANEL,), "float32")
        width = PANEL if len(rows) == 1 else LINE
        for first in range(0, PANEL, width):
            halves = range(first // LINE, (first + width) // LINE)
            tile = _Tile(
                buffers, starts, depth, [tiles.local(start + h * depth * LINE) for h in halves],
                [tiles.local(fetch.start + h * depth * fetch.step) for h in halves if fetch.is_on],
                fetch, width // HALVES,
            )  # fmt: skip
            for n, total in enumerate(tile.sums()):
                at = n // tile.vectors * PANEL + first + n % tile.vectors * HALVES
                tiles.store(values, at, total, HALVES)
        return T.address_of(values[0])


@dataclass(frozen=True)
class _Tile:
    """Some columns of a panel: `vectors` of `HALVES` columns, in `streams` of LINE columns."""

    buffers: Mapping[str, tirx.Var]
    starts: Sequence[Expr]
    depth: Expr
    streams: Sequence[Expr]
    ahead: Sequence[Expr]
    fetch: Fetch
    vectors: int

    @property
    def cells(self) -> int:
        """Vectors of sums."""
        return len(self.starts) * self.vectors

    def sums(self) -> list[Expr]:
        """Emit the loops; float32 sums, a vector of `HALVES` columns per cell."""
        sums = self._zeros("float32")
        whole = tiles.local(tirx.truncdiv(self.depth, CHUNK))
        with T.serial(0, whole) as number:
            part, k = self._zeros("float16"), tiles.local(number * CHUNK)
            for group in range(0, CHUNK, HALVES):
                inputs = [self._inputs(start, k + group) for start in self.starts]
                for i in range(HALVES):
                    each = [register(tirx.Shuffle([eight], [i] * HALVES)) for eight in inputs]
                    self._add(part, tiles.local(k + (group + i)), each)
            self._widen(sums, part)
        done = tiles.local(whole * CHUNK)
        with T.If(done < self.depth), T.Then():
            part = self._zeros("float16")
            with T.serial(0, self.depth - done) as more:
                k = tiles.local(done + more)
                self._add(part, k, [self._input(start, k) for start in self.starts])
            self._widen(sums, part)
        return [tiles.load(sums, n * HALVES, HALVES) for n in range(self.cells)]

    def _zeros(self, dtype: str) -> tirx.Var:
        sums = T.alloc_buffer((self.cells * HALVES,), dtype)
        for n in range(self.cells):
            zero = tiles.splat(tirx.const(0.0, dtype), HALVES)
            tiles.store(sums, n * HALVES, zero, HALVES)
        return sums

    def _inputs(self, start: Expr, k: Expr) -> Expr:
        """`HALVES` inputs of a row from an even input number on."""
        at = tiles.local(start + tirx.truncdiv(k, 2))
        words = tiles.load(self.buffers["a"], at, HALVES // 2)
        return register(tirx.reinterpret(f"float16x{HALVES}", words))

    def _input(self, start: Expr, k: Expr) -> Expr:
        """One input of a row, in every lane."""
        word = tirx.reinterpret("int32", self.buffers["a"][start + tirx.truncdiv(k, 2)])
        half = tirx.Cast("int16", tirx.shift_right(word, tirx.truncmod(k, 2) * 16))
        return register(tiles.splat(tirx.reinterpret("float16", half), HALVES))

    def _add(self, part: tirx.Var, k: Expr, inputs: Sequence[Expr]) -> None:
        """Add the products of one input to the sums of a chunk."""
        for begun in self.ahead:
            self.fetch.line(begun + k * self.fetch.step)
        for j in range(self.vectors):
            column = j * HALVES
            at = self.streams[column // LINE] + k * LINE + column % LINE
            stored = tiles.load(self.buffers["weights"], at, HALVES)
            weights = register(tirx.reinterpret(f"float16x{HALVES}", stored))
            for i, value in enumerate(inputs):
                cell = (i * self.vectors + j) * HALVES
                total = tiles.load(part, cell, HALVES) + value * weights
                tiles.store(part, cell, total, HALVES)

    def _widen(self, sums: tirx.Var, part: tirx.Var) -> None:
        """Add the sums of a chunk to those of the tile."""
        for n in range(self.cells):
            wide = tirx.Cast(f"float32x{HALVES}", tiles.load(part, n * HALVES, HALVES))
            tiles.store(sums, n * HALVES, tiles.load(sums, n * HALVES, HALVES) + wide, HALVES)
