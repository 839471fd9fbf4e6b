"""The state of a search for formats: what was measured, judged end to end, and what fits.

1. Every unit alone in every format: how far do the outputs move (`sensitivity`)?
2. An integer program for bytes against the sum of these errors (`assignment`).
3. The sum is no promise: what the program proposes is judged end to end, and its limit moved until
   the loss fits (`moving_limit`).
4. Swaps between units, judged end to end, keep what is smaller and still fits (`swaps`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.assignment import assign
from edgemoe.compression.candidates import Candidate, Weights
from edgemoe.compression.goal import Goal
from edgemoe.compression.journal import Journal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.space import Space
from edgemoe.compression.trial import Trial
from edgemoe.precision import Unit
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

SCREENS = ((16, 2.0), (4, 1.0))
"""A candidate is first judged on one in so many samples, and given up where it loses more than is
promised by so many standard errors; most that fail do so at once."""

FEWEST_SCREENED = 8
"""Samples from which a standard error can be told."""

NOISE = 1e-12
"""Errors below this are nothing: float32 sums in another order."""


@dataclass(frozen=True)
class Measured:
    """A candidate with its bytes and what the search part says of it."""

    candidate: Candidate
    nbytes: int
    verdict: Verdict
    cost: float


@dataclass
class Search(Space):
    """One model, one part of the data, one list of formats.

    Args:
        trial: runs candidates.
        weights: what weights become.
        judge: of the search part.
        journal: keeps verdicts, so that a search that was killed goes on where it was.
        show: called with (what, done, total).
        archive: everything that was judged on the whole search part.
        sensitivity: the error of one unit in one format, all others in their best.
        errors_by_output: the parts of these, float64 [judged outputs].
        error_limits: with several outputs, the summed error up to which each keeps the promise,
            float64 [judged outputs]; None until the integer programs have found them.
    """

    trial: Trial
    weights: Weights
    judge: Judge
    journal: Journal
    show: Progress = lambda what, done, total: None
    archive: dict[Candidate, Measured] = field(default_factory=dict)
    sensitivity: dict[tuple[int, WeightFormat], float] = field(default_factory=dict)
    errors_by_output: dict[tuple[int, WeightFormat], Array] = field(default_factory=dict)
    error_limits: Array | None = None
    _weight_errors: dict[tuple[Unit, WeightFormat], float] = field(default_factory=dict)

    def measure(self, candidate: Candidate) -> Measured:
        """Judge a candidate on the search part, once."""
        if candidate not in self.archive:
            verdict = self.judge_on_first(candidate, len(self.judge))
            self.archive[candidate] = Measured(
                candidate, self.bytes_of(candidate), verdict, self.cost_of(candidate)
            )
        return self.archive[candidate]

    def judge_on_first(self, candidate: Candidate, most: int) -> Verdict:
        """Judge a candidate on the first samples of the search part, once."""
        return self.journal.get(
            f"{candidate.key}/{most}", lambda: self.judge_on(self.judge, candidate, most)
        )

    def judge_on(self, judge: Judge, candidate: Candidate, most: int | None = None) -> Verdict:
        """Judge a candidate on any data, anew."""
        arrays, groups = self.weights.of(candidate)
        return judge.judge(
            lambda feed: self.trial.run(feed, arrays, groups), most=most, together=True
        )

    def weight_error(self, unit: Unit, given: WeightFormat) -> float:
        """Squared error of the weights of a unit, rounded to nearest in a format."""
        stored = replace(given, int8_activations=False)  # activations do not change the codes
        if (unit, stored) not in self._weight_errors:
            names = (name for name in unit.names if name in self.weights.originals)
            total = sum(self.weights.nearest_error(unit, name, stored) for name in names)
            self._weight_errors[unit, stored] = max(total, NOISE)
        return self._weight_errors[unit, stored]

    def tables(self) -> tuple[list[WeightFormat], Array, Array, Array]:
        """All formats, and per unit and format: bytes, error, whether it may be taken."""
        formats = list(dict.fromkeys(given for choices in self.choices for given in choices))
        shape = (len(self.units), len(formats))
        nbytes, errors, allowed = np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
        for number, (unit, choices) in enumerate(zip(self.units, self.choices, strict=True)):
            for given in choices:
                place = formats.index(given)
                allowed[number, place] = True
                nbytes[number, place] = self.nbytes(unit, given)
                errors[number, place] = self.sensitivity[number, given]
        return formats, nbytes, errors, allowed

    def table_by_output(self) -> Array:
        """Errors by output, float64 [units, formats, outputs]; as in `tables`."""
        formats, nbytes, *_ = self.tables()
        errors = np.zeros((*nbytes.shape, len(self.judge.metrics)))
        for (number, given), each in self.errors_by_output.items():
            errors[number, formats.index(given)] = each
        return errors

    def within_error(self, limit: float) -> Candidate:
        """The fewest bytes whose summed error keeps `limit`."""
        return self._cheapest(self.tables()[2], limit) if self.units else self.best

    def within_errors(self, limits: Array) -> Candidate:
        """The fewest bytes whose summed error of every output keeps its own limit.

        Args:
            limits: float64 [judged outputs].
        """
        return self._cheapest(self.table_by_output(), limits) if self.units else self.best

    def _cheapest(self, weight: Array, limit: float | Array) -> Candidate:
        formats, _, errors, allowed = self.tables()
        cost = np.zeros(errors.shape)
        for number, (unit, choices) in enumerate(zip(self.units, self.choices, strict=True)):
            for given in choices:
                cost[number, formats.index(given)] = self.unit_cost(unit, given)
        # Of equal costs take the least error: a little of it is part of the cost.
        cost += 1e-3 * cost.max() * errors / max(errors.max(), NOISE)
        chosen = assign(cost, weight, limit, allowed)
        return self.best if chosen is None else Candidate(tuple(formats[f] for f in chosen))

    def within_bytes(self, limit: int) -> Candidate | None:
        """The least summed error whose bytes keep `limit`."""
        if not self.units:
            return self.best if self.fixed_bytes <= limit else None
        formats, nbytes, errors, allowed = self.tables()
        chosen = assign(errors, nbytes, limit - self.fixed_bytes, allowed)
        return None if chosen is None else Candidate(tuple(formats[f] for f in chosen))

    def predicted(self, candidate: Candidate) -> float:
        """The sum of the sensitivities."""
        pairs = enumerate(candidate.formats)
        return sum(self.sensitivity.get(pair, 0.0) for pair in pairs)

    def predicted_by_output(self, candidate: Candidate) -> Array:
        """The sums of the sensitivities, float64 [judged outputs]."""
        pairs = enumerate(candidate.formats)
        nothing = np.zeros(len(self.judge.metrics))
        return sum((self.errors_by_output.get(pair, nothing) for pair in pairs), nothing)

    def keeps(self, found: Measured, goal: Goal) -> bool:
        """Tell whether a candidate keeps the promise on the search part, with the margin.

        For every judged output.
        """
        if goal.max_loss is None:
            return goal.max_bytes is None or found.nbytes <= goal.max_bytes
        if goal.confident:
            return goal.holds(found.verdict)
        return found.verdict.shifted(goal.margin) <= goal.max_loss

    def may_keep(self, candidate: Candidate, goal: Goal) -> bool:
        """Tell whether a candidate may keep the promised loss, from a few samples."""
        return not self.refused_by(candidate, goal)

    def refused_by(self, candidate: Candidate, goal: Goal) -> list[str]:
        """The outputs that a few samples show to break the promised loss."""
        assert goal.max_loss is not None
        for few, errors in self._screens(candidate):
            losses = self.judge_on_first(candidate, few).losses
            broken = [n for n, own in losses.items() if not own.shifted(-errors) <= goal.max_loss]
            if broken:
                return broken
        return []

    def may_be_nearer(self, candidate: Candidate, best: Measured) -> bool:
        """Tell whether a candidate may be nearer to fp32 than the best, from a few samples."""
        return all(
            self.judge_on_first(candidate, few).error <= (1 + 0.1 * errors) * best.verdict.error
            for few, errors in self._screens(candidate)
        )

    def _screens(self, candidate: Candidate) -> list[tuple[int, float]]:
        """Numbers of samples to try first, with the tolerance of each; few are not cut further."""
        if candidate in self.archive:
            return []
        parts = ((len(self.judge) // share, errors) for share, errors in SCREENS)
        return [(few, errors) for few, errors in parts if few >= FEWEST_SCREENED]
