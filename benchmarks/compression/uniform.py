"""One format for all products, whether or not a search would choose from it."""

from __future__ import annotations

from edgemoe.compression.candidates import Candidate
from edgemoe.compression.search import Search
from edgemoe.precision import KEPT, Unit
from edgemoe.weight_format import F32, WeightFormat


def has_format(unit: Unit) -> bool:
    """Whether the unit is the weight of a product that a uniform precision reaches."""
    return unit.role not in KEPT


def uniform(search: Search, given: WeightFormat, *, experts: bool = True) -> Candidate:
    """Every product in `given`; without `experts`, theirs stay float32, as routers do."""
    return Candidate(
        tuple(
            given.for_depth(unit.depth) if has_format(unit) and (experts or not unit.experts)
            else F32
            for unit in search.units
        )
    )  # fmt: skip
