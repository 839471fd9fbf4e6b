"""What every candidate of a search shares: the flat graph, what calibration saw, and roundings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.integer.constraints import Constraints, constraints_of, tie_caches
from edgemoe.integer.quantised import Quantised
from edgemoe.integer.ranges import Seen, scale_of
from edgemoe.integer.weights import WeightCodes, round_weights
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]


@dataclass
class Facts:
    """A flat float graph and its calibration.

    `grams` are Gram matrices by weight, [K, K] or [E, K, K]; `samples` how many calibration saw;
    `unseen` what no sample reached, in words.
    """

    model: ir.Model
    seen: Mapping[str, Seen]
    constraints: Constraints = field(default_factory=Constraints)
    grams: Mapping[str, Array] = field(default_factory=dict)
    samples: int = 1
    unseen: list[str] = field(default_factory=list)
    functions: dict[ir.Value, Any] = field(default_factory=dict)
    """What `function_of` found, by value; its sessions stay open."""
    _scales: dict[tuple[str, int], Quantised] = field(default_factory=dict)
    _codes: dict[Any, WeightCodes] = field(default_factory=dict)
    _common: dict[tuple[str, WeightFormat], list[WeightCodes]] = field(default_factory=dict)

    def scale(self, name: str, bits: int) -> Quantised:
        """The scale of a value at a width."""
        if name in self.constraints.narrow:
            bits = 8
        key = (name, bits)
        if key not in self._scales:
            symmetric = name in self.constraints.symmetric
            self._scales[key] = scale_of(self.seen.get(name, Seen()), bits, symmetric=symmetric)
        return self._scales[key]

    def codes(
        self, name: str, part: int, rows: Callable[[], Array], given: WeightFormat,
        least: float | Array,
    ) -> WeightCodes:  # fmt: skip
        """The codes of a weight, or of expert `part` of it; rounded once per format.

        Args:
            name: of the weight.
            part: the expert, 0 where there are none.
            rows: float [N, K].
            given: the format.
            least: no scale is less; see `round_weights`.
        """
        key = (name, part, given)
        found = self._codes.get(key)
        if found is None:
            found = self._codes[key] = round_weights(rows(), given, self._gram(name, part, given))
        if (found.scales < least).any():
            return round_weights(rows(), given, None, least)
        return found

    def common_codes(
        self, name: str, experts: int, rows: Callable[[int], Array], given: WeightFormat
    ) -> list[WeightCodes]:
        """The codes of all experts of a weight, with one scale per output that all share.

        Args:
            name: of the weight.
            experts: how many there are.
            rows: expert -> float [N, K].
            given: the format.
        """
        key = (name, given)
        if key not in self._common:
            alone = [self.codes(name, e, lambda e=e: rows(e), given, 0.0) for e in range(experts)]  # type: ignore[misc]
            scales = np.max([part.scales for part in alone], axis=0)
            self._common[key] = [
                round_weights(rows(e), given, self._gram(name, e, given), scales)
                for e in range(experts)
            ]
        return self._common[key]

    @property
    def common(self) -> frozenset[str]:
        """Names of the weights whose experts share their scales."""
        return frozenset(name for name, _ in self._common)

    def _gram(self, name: str, part: int, given: WeightFormat) -> Array | None:
        gram = self.grams.get(name) if given.bits < 8 else None
        return gram[part] if gram is not None and gram.ndim == 3 else gram


def facts_of(model: ir.Model, seen: Mapping[str, Seen], grams: Mapping[str, Array]) -> Facts:
    """Put together what is known of a flat graph."""
    tied = tie_caches(model.graph, seen)
    return Facts(model, tied, constraints_of(model.graph), grams)
