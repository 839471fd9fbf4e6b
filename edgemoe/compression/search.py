"""Finds the formats: single changes measured end to end, an integer program, then swaps.

1. Every unit alone in every format: how far do the outputs move (Sensitivity)?
2. An integer program for bytes against the sum of these errors (`assignment`).
3. The sum is no promise: what the program proposes is judged end to end, and its limit moved until
   the loss fits.
4. Swaps between units, judged end to end, keep what is smaller and still fits: summed errors are
   not monotone in the real loss (EvoPress, Sieberling et al., 2024, sec. 3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.assignment import assign
from edgemoe.compression.candidates import Candidate, Weights, fits
from edgemoe.compression.goal import Goal
from edgemoe.compression.journal import Journal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.trial import Trial
from edgemoe.precision import KEPT, Unit
from edgemoe.weight_format import F32, WeightFormat

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

HALVINGS = 10
"""Limits that are tried between nothing and everything."""

SENSED = 32
"""Samples that are enough for a sensitivity: it is smooth, and only ranks."""

LEAST_SENSING = 30.0
"""Seconds for sensitivities, however little time there is: without them nothing else is found."""

SCREENED = 4
"""A swap is first tried on one in so many samples."""

SUGGESTED = 6
"""Swaps that are drawn, of which the one that the sensitivities like best is tried."""

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
class Search:
    """One model, one part of the data, one list of formats.

    Args:
        units: what gets formats.
        choices: the formats of each unit, F32 among them.
        nbytes: of a unit in a format.
        fixed_bytes: of everything that is no unit.
        trial: runs candidates.
        weights: what weights become.
        judge: of the search part.
        journal: keeps verdicts, so that a search that was killed goes on where it was.
        cost: of a unit in a format, what is made small: bytes, or seconds, or both.
    """

    units: Sequence[Unit]
    choices: Sequence[Sequence[WeightFormat]]
    nbytes: Callable[[Unit, WeightFormat], int]
    fixed_bytes: int
    trial: Trial
    weights: Weights
    judge: Judge
    journal: Journal
    show: Progress = lambda what, done, total: None
    archive: dict[Candidate, Measured] = field(default_factory=dict)
    sensitivity: dict[tuple[int, WeightFormat], float] = field(default_factory=dict)
    cost: Callable[[Unit, WeightFormat], float] | None = None

    @property
    def best(self) -> Candidate:
        """The first choice of every unit: float32, but for what was pinned."""
        return Candidate(tuple(choices[0] for choices in self.choices))

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

    def _cost(self, unit: Unit, given: WeightFormat) -> float:
        return self.nbytes(unit, given) if self.cost is None else self.cost(unit, given)

    def measure(self, candidate: Candidate) -> Measured:
        """Judge a candidate on the search part, once."""
        if candidate not in self.archive:
            verdict = self.journal.get(
                f"{candidate.key}/{len(self.judge)}", lambda: self._judged(self.judge, candidate)
            )
            self.archive[candidate] = Measured(
                candidate, self.bytes_of(candidate), verdict, self.cost_of(candidate)
            )
        return self.archive[candidate]

    def _judged(self, judge: Judge, candidate: Candidate, most: int | None = None) -> Verdict:
        arrays, groups = self.weights.of(candidate)
        return judge.judge(lambda feed: self.trial.run(feed, arrays, groups), most=most)

    def judge_on(self, judge: Judge, candidate: Candidate) -> Verdict:
        """Judge a candidate on other data."""
        return self._judged(judge, candidate)

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

    def sense(self, seconds: float) -> None:
        """Measure every single change, on as many samples as the time allows.

        What there is no time for is estimated; every unit is measured once before any is again,
        with 4 bits first.
        """
        base, until = self.best, time.monotonic() + max(seconds, LEAST_SENSING)
        ranked = (
            sorted(representatives(choices), key=lambda given: abs(given.bits - 4))
            for choices in self.choices
        )
        rounds = zip_longest(*ranked)
        pairs = [(n, given) for turn in rounds for n, given in enumerate(turn) if given is not None]

        def affordable() -> int:
            started = time.monotonic()
            self._judged(self.judge, base, 1)
            each = time.monotonic() - started
            return max(4, min(len(self.judge), SENSED, int(seconds / (each * len(pairs) + 1e-9))))

        most = self.journal.number("sensed", affordable)
        for done, (number, given) in enumerate(pairs):
            self.show(f"sensitivity on {most} samples", done, len(pairs))
            if done >= len(self.units) and time.monotonic() > until:
                break
            changed = base.with_format(number, given)
            verdict = self.journal.get(
                f"{changed.key}/{most}",
                lambda c=changed: self._judged(self.judge, c, most),  # type: ignore[misc]
            )
            self.sensitivity[number, given] = max(verdict.error, NOISE)
        self._estimate_the_rest()

    def _estimate_the_rest(self) -> None:
        """Give formats the error of the nearest one that was measured.

        In the proportion of their weight errors.
        """
        for number, (unit, choices) in enumerate(zip(self.units, self.choices, strict=True)):
            measured = [given for given in choices if (number, given) in self.sensitivity]
            for given in choices:
                if given == choices[0]:
                    self.sensitivity[number, given] = 0.0
                elif given not in measured:
                    near = min(measured, key=lambda m, g=given: _distance(m, g))  # type: ignore[misc]
                    ratio = self.weight_error(unit, given) / self.weight_error(unit, near)
                    self.sensitivity[number, given] = self.sensitivity[number, near] * ratio

    def weight_error(self, unit: Unit, given: WeightFormat) -> float:
        """Squared error of the weights of a unit, rounded to nearest in a format."""
        names = (name for name in unit.names if name in self.weights.originals)
        total = sum(self.weights.nearest_error(unit, name, given) for name in names)
        return max(total, NOISE)

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

    def within_error(self, limit: float) -> Candidate:
        """The fewest bytes whose summed error keeps `limit`."""
        if not self.units:
            return self.best
        formats, _, errors, allowed = self.tables()
        cost = np.zeros(errors.shape)
        for number, (unit, choices) in enumerate(zip(self.units, self.choices, strict=True)):
            for given in choices:
                cost[number, formats.index(given)] = self._cost(unit, given)
        # Of equal costs take the least error: a little of it is part of the cost.
        cost += 1e-3 * cost.max() * errors / max(errors.max(), NOISE)
        chosen = assign(cost, errors, limit, allowed)
        return self.best if chosen is None else Candidate(tuple(formats[f] for f in chosen))

    def within_bytes(self, limit: int) -> Candidate | None:
        """The least summed error whose bytes keep `limit`."""
        if not self.units:
            return self.best if self.fixed_bytes <= limit else None
        formats, nbytes, errors, allowed = self.tables()
        chosen = assign(errors, nbytes, limit - self.fixed_bytes, allowed)
        return None if chosen is None else Candidate(tuple(formats[f] for f in chosen))

    def smallest(self) -> Candidate:
        """Every unit in the format of the fewest bytes."""
        pairs = zip(self.units, self.choices, strict=True)
        return Candidate(tuple(min(c, key=lambda g, u=u: self.nbytes(u, g)) for u, c in pairs))  # type: ignore[misc]

    def keeps(self, found: Measured, goal: Goal) -> bool:
        """Tell whether a candidate keeps the promise on the search part, with the margin."""
        if goal.max_loss is None:
            return goal.max_bytes is None or found.nbytes <= goal.max_bytes
        if goal.confident:
            return goal.holds(found.verdict)
        spread = goal.margin * found.verdict.standard_error
        return bool(found.verdict.counted + spread <= goal.max_loss)

    def largest_error(self, goal: Goal, deadline: float = float("inf")) -> Measured:
        """Move the limit of the integer program up to the last that keeps the promise.

        Once something smaller than the best is found, no more is tried after the deadline.
        """
        if not self.units:  # every weight is too small to have a format
            return self.measure(self.best)
        _, _, errors, allowed = self.tables()
        high = float(np.log(np.where(allowed, errors, 0.0).max(1).sum() + NOISE))
        low = high - np.log(1e6)
        best = self.measure(self.best)
        for step in range(HALVINGS):
            self.show("integer programs", step, HALVINGS)
            if best.candidate != self.best and time.monotonic() > deadline:
                break
            middle = high if step == 0 else (low + high) / 2
            candidate = self.within_error(float(np.exp(middle)))
            if not self._may_keep(candidate, goal):
                high = middle
                continue
            found = self.measure(candidate)
            if self.keeps(found, goal):
                low = middle
                best = min(best, found, key=lambda m: m.cost)
                if step == 0:
                    break
            else:
                high = middle
        return best

    def evolve(self, start: Measured, goal: Goal, deadline: float) -> Measured:
        """Swap formats between units as long as that finds something better, and time is left."""
        chance = np.random.default_rng(goal.seed)
        best, tried, failures = start, 0, 0
        most = 30 * len(self.units)
        while time.monotonic() < deadline and failures < 4 * len(self.units) and tried < most:
            self.show("swaps", tried, most)
            tried += 1
            child = self._suggested(best.candidate, goal, chance)
            if child is None or not self._passes_screen(child, best, goal):
                failures += 1
                continue
            found = self.measure(child)
            if self._is_better(found, best, goal):
                best, failures = found, 0
            else:
                failures += 1
        return best

    def predicted(self, candidate: Candidate) -> float:
        """The sum of the sensitivities."""
        pairs = enumerate(candidate.formats)
        return sum(self.sensitivity.get(pair, 0.0) for pair in pairs)

    def _suggested(
        self, parent: Candidate, goal: Goal, chance: np.random.Generator
    ) -> Candidate | None:
        """Of some mutants that are new, the one with the least error and bytes, as predicted."""
        drawn = [self._mutant(parent, goal, chance) for _ in range(SUGGESTED)]
        fresh = [child for child in drawn if child is not None and child not in self.archive]
        error, cost = max(self.predicted(parent), NOISE), max(self.cost_of(parent), 1e-30)
        return min(
            fresh, default=None,
            key=lambda child: self.predicted(child) / error + self.cost_of(child) / cost,
        )  # fmt: skip

    def _passes_screen(self, child: Candidate, best: Measured, goal: Goal) -> bool:
        """Try a candidate on a few samples first; most swaps that fail do so at once."""
        if goal.max_loss is not None:
            return self._may_keep(child, goal)
        verdict = self._screen(child)
        return verdict is None or verdict.error <= 1.1 * best.verdict.error

    def _may_keep(self, candidate: Candidate, goal: Goal) -> bool:
        """Tell whether a candidate may keep the promised loss, from a few samples."""
        assert goal.max_loss is not None
        verdict = None if candidate in self.archive else self._screen(candidate)
        return verdict is None or bool(verdict.counted - verdict.standard_error <= goal.max_loss)

    def _screen(self, candidate: Candidate) -> Verdict | None:
        """A verdict from a few samples; None where all samples are few."""
        few = len(self.judge) // SCREENED
        if few < SENSED:
            return None
        return self.journal.get(
            f"{candidate.key}/{few}", lambda: self._judged(self.judge, candidate, few)
        )

    def _is_better(self, found: Measured, best: Measured, goal: Goal) -> bool:
        if not self.keeps(found, goal):
            return False
        if goal.max_loss is not None:
            return found.cost < best.cost
        return found.verdict.error < best.verdict.error

    def _mutant(
        self, parent: Candidate, goal: Goal, chance: np.random.Generator
    ) -> Candidate | None:
        """One or two units down, and at times another one up, to fewer bytes or a like number."""
        child = parent
        for _ in range(int(chance.integers(1, 3))):
            child = self._step(child, chance, down=True) or child
        if chance.random() < 0.7:
            child = self._step(child, chance, down=False) or child
        if child == parent:
            return None
        if goal.max_loss is not None:
            return child if self.cost_of(child) < self.cost_of(parent) else None
        assert goal.max_bytes is not None
        return child if self.bytes_of(child) <= goal.max_bytes else None

    def _step(
        self, parent: Candidate, chance: np.random.Generator, *, down: bool
    ) -> Candidate | None:
        """Another format for one unit: the next smaller or larger in cost, at times farther."""
        number = int(chance.integers(len(self.units)))
        unit = self.units[number]
        now = self._cost(unit, parent.formats[number])
        others = sorted(
            (
                (self._cost(unit, given), index, given)
                for index, given in enumerate(self.choices[number])
                if (self._cost(unit, given) < now) == down and given != parent.formats[number]
            ),
            reverse=down,
        )
        if not others:
            return None
        place = min(int(chance.geometric(0.6)) - 1, len(others) - 1)
        return parent.with_format(number, others[place][2])


def representatives(choices: Sequence[WeightFormat]) -> list[WeightFormat]:
    """One format of every family but the best, the first; others are estimated from it."""
    found: dict[tuple[object, ...], WeightFormat] = {}
    for given in choices[1:]:
        found.setdefault(_family(given), given)
    return list(found.values())


def _distance(one: WeightFormat, other: WeightFormat) -> tuple[bool, int]:
    """How far the error of a format is from that of another: families, then bits."""
    return _family(one) != _family(other), abs(one.bits - other.bits)


def _family(given: WeightFormat) -> tuple[object, ...]:
    return given.kind, given.bits, given.int8_activations


def possible(
    unit: Unit, formats: Sequence[WeightFormat], originals: dict[str, Array]
) -> list[WeightFormat]:
    """The formats that can hold the weights of a unit, each once, F32 first."""
    arrays = [originals[name] for name in unit.names if name in originals]
    if len(arrays) < len(unit.names):
        return [F32]
    found = [given.for_depth(unit.depth) for given in formats if fits(arrays, given)]
    return list(dict.fromkeys([F32, *found]))
