"""What a search chooses from: units with their formats, and what a choice costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgemoe.compression.candidates import Candidate
from edgemoe.precision import KEPT, Unit
from edgemoe.weight_format import WeightFormat


@dataclass
class Space:
    """Units, each with its formats.

    Args:
        units: what gets formats.
        choices: the formats of each unit, the best first.
        nbytes: of a unit in a format.
        fixed_bytes: of everything that is no unit.
        cost: of a unit in a format, what is made small: bytes (None), or seconds, or both.
    """

    units: Sequence[Unit]
    choices: Sequence[Sequence[WeightFormat]]
    nbytes: Callable[[Unit, WeightFormat], int]
    fixed_bytes: int
    cost: Callable[[Unit, WeightFormat], float] | None

    @property
    def best(self) -> Candidate:
        """The first choice of every unit: float32, but for what was pinned."""
        return Candidate(tuple(choices[0] for choices in self.choices))

    def smallest(self) -> Candidate:
        """Every unit in the format of the fewest bytes."""
        pairs = zip(self.units, self.choices, strict=True)
        return Candidate(tuple(min(c, key=lambda g, u=u: self.nbytes(u, g)) for u, c in pairs))  # type: ignore[misc]

    def uniform(self, given: WeightFormat) -> Candidate:
        """Every product in one format, or in the next better one that it may have.

        Routers and constants stay as they are, as they do where no search is asked for.
        """

        def nearest(choices: Sequence[WeightFormat], unit: Unit) -> WeightFormat:
            wanted = given.for_depth(unit.depth)
            if unit.role in KEPT:
                return choices[0]
            if wanted in choices:
                return wanted
            return min((c for c in choices if c.bits >= given.bits), key=lambda c: c.bits,
                       default=choices[0])  # fmt: skip

        return Candidate(
            tuple(nearest(c, u) for c, u in zip(self.choices, self.units, strict=True))
        )

    def bytes_of(self, candidate: Candidate) -> int:
        """All weights of a candidate."""
        pairs = zip(self.units, candidate.formats, strict=True)
        return self.fixed_bytes + sum(self.nbytes(unit, given) for unit, given in pairs)

    def cost_of(self, candidate: Candidate) -> float:
        """What is made small."""
        if self.cost is None:
            return self.bytes_of(candidate)
        pairs = zip(self.units, candidate.formats, strict=True)
        return sum(self.cost(unit, given) for unit, given in pairs)

    def unit_cost(self, unit: Unit, given: WeightFormat) -> float:
        """What one unit adds to `cost_of`."""
        return self.nbytes(unit, given) if self.cost is None else self.cost(unit, given)
