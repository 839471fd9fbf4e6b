"""int8 products whose activations have one scale and zero point, known at compile time.

    out[m, n] = scale_a * scale[n] * (sum_k a[m, k] * code[n, k] - zero_a * sum_k code[n, k])

The last sum is a constant of the column, which lies behind the panels: no row is looked at before
it is multiplied. Where weights multiply from the left, rows and columns have changed places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import opaque
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.dots import Dot, dot_of
from edgemoe.targets.kernels.integer_product import IntegerProduct
from edgemoe.targets.kernels.integer_tile import Fetching, Tile
from edgemoe.targets.kernels.mmla_tile import MmlaTile
from edgemoe.targets.kernels.panels import PANEL
from edgemoe.targets.kernels.static_codes import ZERO
from edgemoe.targets.kernels.static_dots import static_dot_of
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.spec import Isa


def column_sums(panels: NDArray[Any]) -> NDArray[np.int32]:
    """Sums of the codes of every column of packed panels of `i8`, int32 [panels * PANEL]."""
    words = panels.reshape(len(panels), -1, PANEL, 4)[:, :-1]  # behind them are the scales
    sums: NDArray[np.int32] = words.view(np.int8).sum((1, 3), dtype=np.int32).reshape(-1)
    return sums


class _Static(Tile):
    """A tile whose offset is a zero point times a sum of codes of weights."""

    facts_pointer = "scales"

    def times(self, bias: int) -> Expr:
        """The zero point as it is stored, in every lane."""
        zero = tirx.Cast("int32", self.buffers[self.facts_pointer][ZERO]) + bias
        return register(self._splat(register(zero)))


class _ByColumn(_Static):
    """Weights are the columns; `scales` are the facts of the activations, `sums` of columns."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.facts = [tirx.const(0, "int32")] * len(self.rows)

    def _offsets(self, first: int, g: Expr) -> list[Expr | None]:
        del g  # there is one
        times = self.times(self.dot.activation_bias)
        at = tiles.local(self.panel * PANEL + first)
        by_vector = [
            register(tiles.load(self.buffers["sums"], at + j * self.lanes, self.lanes) * times)
            for j in range(self.vectors)
        ]
        return [by_vector[j] for _, j in self._cells()]


class _ByRow(_Static):
    """Weights are the rows; `sums` are theirs, and `facts` those of the activations."""

    facts_pointer = "facts"

    def _offset(self, i: int, g: Expr) -> Expr | None:
        own = self._splat(self.buffers["sums"][self.facts[i] + g])
        return register(own * self.times(self.dot.bias(self.given)))


class _MmlaByColumn(_ByColumn, MmlaTile):
    """Two rows at a time."""


class _MmlaByRow(_ByRow, MmlaTile):
    """Two rows at a time."""


@dataclass(frozen=True)
class StaticProduct(IntegerProduct):
    """Rows with static scales times panels of weights."""

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """See `Product`."""
        dot = static_dot_of(isa)
        kind = _MmlaByColumn if dot.pairs_rows and len(rows) > 1 else _ByColumn
        tile = kind(self.given, dot, isa, buffers, rows, depth, panel, fetching, self.tuning)
        return _emitted(tile, dot)


@dataclass(frozen=True)
class StaticMixProduct(IntegerProduct):
    """Rows of weights times panels of activations with static scales."""

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """See `Product`."""
        dot = dot_of(isa)
        kind = _MmlaByRow if dot.pairs_rows and len(rows) > 1 else _ByRow
        tile = kind(self.given, dot, isa, buffers, rows, depth, panel, fetching, self.tuning)
        return _emitted(tile, dot)


def _emitted(tile: Tile, dot: Dot) -> Expr:
    with opaque.scope(dot.opaque_in) if dot.opaque_in else nullcontext():
        return tile.emit()
