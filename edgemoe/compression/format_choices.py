"""Which formats a unit may have, and which of them stand for others in measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from edgemoe.compression.candidates import fits
from edgemoe.precision import Unit
from edgemoe.weight_format import F32, WeightFormat

Array = NDArray[Any]


def possible(
    unit: Unit, formats: Sequence[WeightFormat], originals: Mapping[str, Array]
) -> list[WeightFormat]:
    """The formats that can hold the weights of a unit, each once, F32 first."""
    arrays = [originals[name] for name in unit.names if name in originals]
    if len(arrays) < len(unit.names):
        return [F32]
    found = [given.for_depth(unit.depth) for given in formats if fits(arrays, given)]
    return list(dict.fromkeys([F32, *found]))


def representatives(choices: Sequence[WeightFormat]) -> list[WeightFormat]:
    """One format of every family but the best, the first; others are estimated from it."""
    found: dict[tuple[object, ...], WeightFormat] = {}
    for given in choices[1:]:
        found.setdefault(_family(given), given)
    return list(found.values())


def distance(one: WeightFormat, other: WeightFormat) -> tuple[bool, int]:
    """How far the error of a format is from that of another: families, then bits."""
    return _family(one) != _family(other), abs(one.bits - other.bits)


def _family(given: WeightFormat) -> tuple[object, ...]:
    return given.kind, given.bits, given.int8_activations
