"""Rows that are rounded to bfloat16 times panels of bfloat16 weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.bfloat16_dots import dot_of
from edgemoe.targets.kernels.bfloat16_tile import MmlaTile, Tile, pairs_of
from edgemoe.targets.kernels.integer_tile import Fetching
from edgemoe.targets.kernels.panels import PANEL
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class Bfloat16Product:
    """The product of the format `bf16.a16`."""

    tuning: Tuning = DEFAULT

    @property
    def pointers(self) -> dict[str, str]:
        """The rows, as `round_rows` makes them, and the weights."""
        return {"a": "int32", "weights": "int32"}

    def panel_elements(self, depth: Expr) -> Expr:
        """See `Product`."""
        return pairs_of(depth) * PANEL

    def tallest(self, isa: Isa) -> int:
        """See `Product`."""
        return self.tuning.rows or dot_of(isa).tallest(tiles.tallest_tile(isa))

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """See `Product`."""
        dot = dot_of(isa)
        kind = MmlaTile if dot.pairs_rows and len(rows) > 1 else Tile
        with dot.scope():
            return kind(dot, isa, buffers, rows, depth, panel, fetching, self.tuning).emit()
