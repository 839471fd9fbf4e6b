"""A candidate: a format for every unit, with the weights and the bytes that it stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.bfloat16 import from_bfloat16, to_bfloat16
from edgemoe.compression.parallel import in_order
from edgemoe.precision import ExpertRounder, Unit
from edgemoe.quantise import Codes, quantise
from edgemoe.weight_format import F32, WeightFormat

Array = NDArray[Any]
UnitBytes = Callable[[Unit, WeightFormat], int]

LARGEST_FLOAT16 = 65504.0


@dataclass(frozen=True)
class Candidate:
    """Formats in the order of the units."""

    formats: tuple[WeightFormat, ...]

    def with_format(self, number: int, given: WeightFormat) -> Candidate:
        """The same with another format for one unit."""
        formats = list(self.formats)
        formats[number] = given
        return Candidate(tuple(formats))

    @property
    def key(self) -> str:
        """A short name for journals."""
        text = " ".join(given.name for given in self.formats)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass
class Weights:
    """What weights become in each format; everything is computed once.

    `originals` are the weights in the layout of the graph; `rounders` round those of integer
    formats better than to nearest.
    """

    units: Sequence[Unit]
    originals: Mapping[str, Array]
    rounders: Mapping[str, ExpertRounder] = field(default_factory=dict)
    unseen: Sequence[str] = ()  # weights, or their experts, that no row of calibration reached
    threads: int = 1
    _kept: dict[tuple[str, WeightFormat], Array] = field(default_factory=dict)

    def of(self, candidate: Candidate) -> tuple[dict[str, Array], dict[str, int]]:
        """Weights by name, and by name the inputs that share a scale as activations (0: none)."""
        arrays, groups = {}, {}
        for unit, given in zip(self.units, candidate.formats, strict=True):
            for name in unit.names:
                if name in self.originals and given != F32:
                    arrays[name] = self.rounded(unit, name, given)
                    groups[name] = activation_group(unit, given)
        return arrays, groups

    def rounded(self, unit: Unit, name: str, given: WeightFormat) -> Array:
        """One weight in one format, as float32."""
        stored = replace(given, int8_activations=False)  # activations do not change the codes
        if (name, stored) not in self._kept:
            self._kept[name, stored] = self._rounded(name, stored, unit, self.rounders.get(name))
        return self._kept[name, stored]

    def nearest_error(self, unit: Unit, name: str, given: WeightFormat) -> float:
        """Squared error of one weight rounded to nearest, which takes a fraction of the time."""
        gap = self._rounded(name, given, unit, None) - self.originals[name]
        return float(np.vdot(gap, gap))

    def _rounded(
        self, name: str, given: WeightFormat, unit: Unit, rounder: ExpertRounder | None
    ) -> Array:
        weight = self.originals[name]
        if not given.is_integer:
            return to_float(weight, given)
        transposed = unit.transposed[unit.names.index(name)]
        matrices = weight if unit.experts else weight[None]

        def back_of(expert: int) -> Array:
            matrix = matrices[expert]
            rows = np.ascontiguousarray(matrix.T if transposed else matrix)
            codes: Codes = (
                quantise(rows, given) if rounder is None else rounder(expert, rows, given)
            )
            back = codes.dequantise(rows.shape[1])
            return back.T if transposed else back

        made = list(in_order(back_of, range(len(matrices)), self.threads))
        return np.ascontiguousarray(np.stack(made) if unit.experts else made[0])


def to_float(weight: Array, given: WeightFormat) -> Array:
    """A weight as a float format holds it, as float32."""
    if given.kind == "bfloat16":
        return from_bfloat16(to_bfloat16(weight))
    if given.kind == "float16":
        return weight.astype(np.float16).astype(np.float32)
    return weight


def activation_group(unit: Unit, given: WeightFormat) -> int:
    """How many inputs of the unit's products share a scale; 0: they stay float32."""
    if not given.int8_activations:
        return 0
    return given.for_depth(unit.depth).group or unit.depth


def fits(weights: Sequence[Array], given: WeightFormat) -> bool:
    """Tell whether a format can hold the range of the weights."""
    if given.kind != "float16":
        return True
    return all(float(np.abs(array).max(initial=0.0)) <= LARGEST_FLOAT16 for array in weights)
