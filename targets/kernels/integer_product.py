"""Rows of int8 activations times panels of integer codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import opaque
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.dots import dot_of
from edgemoe.targets.kernels.integer_tile import Fetching, Tile, groups_of, words_of
from edgemoe.targets.kernels.mmla_tile import MmlaTile
from edgemoe.targets.kernels.panels import PANEL, scale_words
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class IntegerProduct:
    """The product of one weight format."""

    given: WeightFormat
    tuning: Tuning = DEFAULT

    @property
    def pointers(self) -> dict[str, str]:
        """What a kernel needs: rows, their scales and sums, and the weights."""
        return {"a": "int32", "scales": "float32", "sums": "int32", "weights": "int32"}

    def panel_elements(self, depth: Expr) -> Expr:
        """See `Product`."""
        words = words_of(depth, self.given) * PANEL + scale_words(self.given)
        return groups_of(depth, self.given) * words

    def tallest(self, isa: Isa) -> int:
        """See `Product`."""
        return self.tuning.rows or dot_of(isa).tallest(self.given, tiles.tallest_tile(isa))

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """Emit the tile of `rows` and panel number `panel`; the address of [rows, PANEL]."""
        dot = dot_of(isa)
        kind = MmlaTile if dot.pairs_rows and len(rows) > 1 else Tile
        tile = kind(self.given, dot, isa, buffers, rows, depth, panel, fetching, self.tuning)
        with opaque.scope(dot.opaque_in) if dot.opaque_in else nullcontext():
            return tile.emit()
