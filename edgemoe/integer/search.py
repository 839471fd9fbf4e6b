"""Which tensors get 16 bits and which weights fewer than 8, within a promise.

One change at a time is measured for its effect on the outputs (MixDQ, Zhao et al., 2024, ranks
layers so; QuantMCU, 2024, widens what outliers hurt); what is chosen is measured as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edgemoe.compression.goal import Goal
from edgemoe.integer.candidate import LADDER, Candidate, Measured, Trials
from edgemoe.precision import Unit
from edgemoe.weight_format import WeightFormat

Progress = Callable[[str, int, int], None]

GAIN = 0.1
"""Without a promise, a tensor gets 16 bits when that takes this part off the squared error."""

MISSES = 3
"""So many tensors in a row that gain nothing end the search, most promising first."""

ELEMENTS = 4e7
"""Elements of all tensors of all runs of one ranking; fewer samples rank larger models."""

FEWEST, MOST = 4, 24


@dataclass
class Search:
    """Finds candidates; `notes` say in sentences what was decided."""

    trials: Trials
    goal: Goal
    show: Progress
    notes: list[str] = field(default_factory=list)
    gains: dict[str, float] = field(default_factory=dict)

    def widen(self, start: Candidate, fixed: frozenset[str]) -> Measured:
        """Give tensors 16 bits until the promise holds, or as long as it gains.

        Args:
            start: the candidate to begin with.
            fixed: names that stay as they are.
        """
        current = self.trials.measure(start)
        model = self.trials.model(start)
        names = [
            name for name, quantised in model.tensors.items()
            if quantised.bits == 8 and name not in fixed
            and name not in self.trials.facts.constraints.narrow
        ]  # fmt: skip
        if not names or (self.goal.max_loss is not None and self._holds(current)):
            return current
        count = self._samples(len(names))
        base = self.trials.measure(start, count).verdict.error
        ranked = []
        for number, name in enumerate(names):
            self.show("which tensors need 16 bits", number, len(names))
            wider = Candidate(start.wide | {name}, start.formats)
            error = self.trials.measure(wider, count).verdict.error
            self.gains[name] = 1.0 - error / max(base, 1e-30)
            ranked.append((error, name))
        misses = 0
        for error, name in sorted(ranked):
            if misses >= MISSES or (self.goal.max_loss is not None and self._holds(current)):
                break
            if error >= base:
                break
            found = self.trials.measure(Candidate(current.candidate.wide | {name}, start.formats))
            enough = 0.0 if self.goal.max_loss is not None else GAIN
            if found.verdict.error < (1.0 - enough) * current.verdict.error:
                current, misses = found, 0
            else:
                misses += 1
        return current

    def _samples(self, changes: int) -> int:
        elements = sum(float(seen.count) for seen in self.trials.facts.seen.values()) / max(
            1, self.trials.facts.samples
        )
        return int(min(MOST, max(FEWEST, ELEMENTS // max(1.0, elements * changes))))

    def _holds(self, found: Measured) -> bool:
        """The promise of every output, with a margin: the proof part is other data."""
        if self.goal.max_loss is None:
            return True
        margin, promised = self.goal.margin, self.goal.max_loss
        every = found.verdict.losses.values()
        return all(own.loss + margin * own.standard_error <= promised for own in every)

    def narrow(
        self, start: Measured, units: Sequence[Unit], pinned: Mapping[str, WeightFormat]
    ) -> list[Measured]:
        """Fewer bits for weights, cheapest error first; every stage that was measured.

        The last one is the smallest that keeps the promise, or the first that keeps `max_bytes`.
        """
        steps = self._steps(start, [u for u in units if u.names[0] not in pinned])
        stages = {0: start}

        def stage(number: int) -> Measured:
            if number not in stages:
                candidate = start.candidate
                for name, given in steps[:number]:
                    candidate = candidate.with_format(name, given)
                self.show("fewer bits for weights", number, len(steps))
                stages[number] = self.trials.measure(candidate)
            return stages[number]

        low, high = 0, len(steps)
        if self.goal.max_loss is not None:  # the most steps that keep the promise
            while low < high:
                middle = (low + high + 1) // 2
                if self._holds(stage(middle)):
                    low = middle
                else:
                    high = middle - 1
        elif self.goal.max_bytes is not None:  # the fewest that keep the bytes
            while low < high:
                middle = (low + high) // 2
                if stage(middle).nbytes <= self.goal.max_bytes:
                    high = middle
                else:
                    low = middle + 1
        stage(low)
        return [stages[number] for number in sorted(stages) if number <= low]

    def _steps(self, start: Measured, units: Sequence[Unit]) -> list[tuple[str, WeightFormat]]:
        """Changes of one format each, by what a saved byte costs; a weight's own in order."""
        changes = (len(LADDER) - 1) * len(units)
        count = self._samples(max(1, changes))
        base = self.trials.measure(start.candidate, count)
        rated: list[tuple[float, int, str, WeightFormat]] = []
        for number, unit in enumerate(units):
            name, before = unit.names[0], base
            ratio = 0.0
            for step, given in enumerate(LADDER[1:]):
                self.show("which weights need 8 bits", (len(LADDER) - 1) * number + step, changes)
                found = self.trials.measure(start.candidate.with_format(name, given), count)
                saved = before.nbytes - found.nbytes
                if saved <= 0:
                    continue
                cost = max(0.0, found.verdict.error - before.verdict.error) / saved
                ratio = max(ratio, cost)  # never before the step that it follows
                rated.append((ratio, step, name, given))
                before = found
        return [(name, given) for _, _, name, given in sorted(rated, key=lambda r: r[:3])]
