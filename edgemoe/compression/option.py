"""One decision about the graph with its search for formats, and what makes such options."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.compression.calibration import calibrate
from edgemoe.compression.candidates import Weights
from edgemoe.compression.decision import Decision
from edgemoe.compression.decoupled_limits import largest_errors
from edgemoe.compression.format_choices import possible
from edgemoe.compression.goal import Goal
from edgemoe.compression.journal import Journal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.moving_limit import largest_error
from edgemoe.compression.rounding import gptq
from edgemoe.compression.samples import Samples
from edgemoe.compression.search import Measured, Search
from edgemoe.compression.sensitivity import sense
from edgemoe.compression.settings import Settings
from edgemoe.compression.statistics import Gram
from edgemoe.compression.swaps import evolve
from edgemoe.compression.task import Task
from edgemoe.compression.trial import Trial, flat
from edgemoe.compression.units import unit_bytes, units_of
from edgemoe.errors import BudgetError, OptionError
from edgemoe.graph_pass import Note
from edgemoe.pass_runner import run_passes
from edgemoe.precision import KEPT, ExpertRounder, Pin, Precision, Unit
from edgemoe.quantise import Codes
from edgemoe.weight_format import BF16, F16, F32, I4, I8, WeightFormat, parse

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

SHARE = 0.45
"""Of the time of a search: for the sensitivities; the rest is for what is judged on all samples."""


GRAM_SAMPLES = 128
"""Samples of the search part that Gram matrices are made of."""


Costs = Callable[
    [Sequence[Unit], Sequence[Sequence[WeightFormat]], Progress],
    Callable[[Unit, WeightFormat], float],
]
"""Measures units in their formats; gives seconds of a unit in a format."""


@dataclass
class Option:
    """One decision about the graph, with the search for formats that belongs to it."""

    decision: Decision
    search: Search
    notes: list[Note]
    pins: tuple[Pin, ...]
    graph: ir.Model  # fused, after the decision

    def find(self, goal: Goal, deadline: float) -> Measured:
        """The best formats; raises BudgetError where none keeps the promise."""
        search = self.search
        sense(search, SHARE * max(deadline - time.monotonic(), 0.0))
        if goal.max_loss is not None:
            uniform = _uniform(search, goal)  # what everybody would try is where to begin
            programs = largest_errors if len(search.judge.metrics) > 1 else largest_error
            start = min(programs(search, goal, deadline), *uniform, key=lambda m: m.cost)
            found = evolve(search, start, goal, deadline)
        elif goal.max_bytes is not None:
            found = evolve(search, _within_bytes(search, goal.max_bytes), goal, deadline)
        else:
            found = search.measure(search.best)
        if not search.keeps(found, replace(goal, margin=0.0)):
            raise BudgetError(_infeasible(search, goal, found))
        return found


@dataclass
class OptionMaker:
    """Makes options: what all of them share."""

    task: Task
    recognised: ir.Model
    judge: Judge
    data: Samples
    settings: Settings
    precision: str
    pins: Sequence[Pin]
    journal: Path | None
    goal: Goal
    show: Progress
    costs: Costs | None
    affordable: int = GRAM_SAMPLES  # samples that there is time for in a pass over the data

    def fused(self, decision: Decision) -> tuple[ir.Model, list[Note], tuple[Pin, ...]]:
        """The graph that is lowered, after a decision."""
        graph = self.recognised.clone()
        notes, pins = decision.apply(graph)
        run_passes(graph, phases=("decide", "fuse"), extra=self.task.plugins)
        return graph, notes, (*pins, *self.pins)

    def pruned(self, decision: Decision, judge: Judge) -> Verdict:
        """What a decision alone loses, all weights in float32."""
        trial = Trial(self.fused(decision)[0], [])
        return judge.judge(lambda feed: trial.run(feed, {}, {}), together=True)

    def option(self, decision: Decision) -> Option:
        """A search on the graph after a decision."""
        graph, notes, pins = self.fused(decision)
        units, fixed_bytes = units_of(graph, self.task.count, pins)
        trial = Trial(graph, units)
        journal = Journal(self.journal, self._subject(trial, decision))
        rounders, unseen = self._rounders(graph, units, trial, journal)
        weights = Weights(units, trial.weights, rounders, unseen, self.settings.workers)
        choices = self._choices(units, trial, pins)
        search = Search(
            units, choices, unit_bytes, fixed_bytes, self._cost(units, choices), trial, weights,
            self.judge, journal, self.show,
        )  # fmt: skip
        return Option(decision, search, notes, pins, graph)

    def _cost(
        self, units: Sequence[Unit], choices: Sequence[Sequence[WeightFormat]]
    ) -> Callable[[Unit, WeightFormat], float] | None:
        """What is made small: None for bytes."""
        if self.settings.objective == "bytes":
            return None
        if self.costs is None:
            raise OptionError(
                f"--objective {self.settings.objective} needs times of the target; it has none here"
            )
        seconds = self.costs(units, choices, self.show)
        if self.settings.objective == "latency":
            return seconds
        pairs = [(unit, formats[0]) for unit, formats in zip(units, choices, strict=True)]
        all_bytes = sum(unit_bytes(unit, given) for unit, given in pairs)
        all_seconds = sum(seconds(unit, given) for unit, given in pairs)
        return lambda unit, given: (
            unit_bytes(unit, given) / max(all_bytes, 1)
            + seconds(unit, given) / max(all_seconds, 1e-30)
        )

    def _choices(
        self, units: Sequence[Unit], trial: Trial, pins: Sequence[Pin]
    ) -> list[list[WeightFormat]]:
        pinned = Precision(F32 if self.precision == "auto" else parse(self.precision), pins=pins)
        listed = [parse(name) for name in self.settings.formats]
        choices = []
        for unit in units:
            is_pinned = any(pin.matches(unit) for pin in pins)
            if is_pinned or self.precision != "auto":
                choices.append([pinned.wanted(unit)])
            else:
                own = [F16, BF16] if unit.role in ("router", "constant") else listed
                choices.append(possible(unit, own, trial.weights))
        return choices

    def _rounders(
        self, graph: ir.Model, units: Sequence[Unit], trial: Trial, journal: Journal
    ) -> tuple[dict[str, ExpertRounder], list[str]]:
        """What rounds each weight, and the weights and experts that no row reached."""
        if self.settings.rounding == "nearest":
            return {}, []
        names = [name for unit in units for name in unit.names if name in trial.products]
        # Verdicts of another search are those of its codes: they came from as many samples.
        count = journal.number("grams", lambda: min(GRAM_SAMPLES, self.affordable, len(self.data)))
        some = self.data.some(self.data.numbers[:count])
        seen = calibrate(
            flat(graph), some.feeds(), grams=names, threads=self.settings.workers,
            progress=lambda done: self.show("Gram matrices", done, len(some)),
        )  # fmt: skip
        rounders, unseen = {}, []
        for unit in units:
            for name in unit.names:
                if name in seen.grams:
                    gram = seen.grams[name]
                    rounders[name] = _rounder(gram, unit.experts)
                    per_expert = len(gram.rows) > 1
                    unseen += [
                        f"{name}[{e}]" if per_expert else name
                        for e, rows in enumerate(gram.rows) if not rows
                    ]  # fmt: skip
        return rounders, unseen

    def _subject(self, trial: Trial, decision: Decision) -> str:
        """What verdicts in a journal belong to."""
        subject = hashlib.blake2b(digest_size=16)
        for name, array in sorted(trial.weights.items()):
            subject.update(name.encode())
            subject.update(array.tobytes())
        samples = self.task.samples
        for name, array in sorted({**samples.arrays, **samples.targets}.items()):
            subject.update(name.encode())
            subject.update(np.ascontiguousarray(array).tobytes())
        subject.update(repr((self.settings, self.precision, sorted(self.task.metrics))).encode())
        subject.update(repr(decision.summary()).encode())
        return subject.hexdigest()


def _rounder(gram: Gram, experts: int) -> ExpertRounder:
    def round_rows(expert: int, rows: Array, given: WeightFormat) -> Codes:
        seen = gram.rows[expert if experts and len(gram.rows) > 1 else 0]
        return gptq(rows, given, gram.of(expert if experts else None) if seen else None)

    return round_rows


def _uniform(search: Search, goal: Goal) -> list[Measured]:
    """int8 and int4 throughout, where they keep the promise, and float32."""
    made = [search.uniform(given) for given in (I8, I4)]
    tried = [search.measure(each) for each in made if search.may_keep(each, goal)]
    return [m for m in tried if search.keeps(m, goal)] + [search.measure(search.best)]


def _within_bytes(search: Search, max_bytes: int) -> Measured:
    start = search.within_bytes(max_bytes)
    if start is not None:
        return search.measure(start)
    smallest = search.measure(search.smallest())
    raise BudgetError(
        f"--max-bytes {max_bytes:,} B cannot be met: the smallest that the formats allow is "
        f"{smallest.nbytes:,} B, with a loss of {smallest.verdict.loss:.3%} on the search part\n"
        f"  try: --max-bytes {smallest.nbytes}, or --prune auto"
    )


def _infeasible(search: Search, goal: Goal, found: Measured) -> str:
    best = search.measure(search.best)
    formats = list(dict.fromkeys(
        given.name for unit, given in zip(search.units, search.best.formats, strict=True)
        if unit.role not in KEPT
    ))  # fmt: skip
    names = ", ".join(formats[:4])
    of = f" of {best.verdict.output}" if len(best.verdict.losses) > 1 else ""
    return (
        f"--max-loss {goal.max_loss:.3%} cannot be kept: even with {names} "
        f"weights the loss{of} is {best.verdict.counted:.3%} on the search part; nearest: "
        f"{found.verdict.counted:.3%} with {found.nbytes:,} B\n  try: a larger --max-loss, or "
        "fewer formats that --precision prescribes"
    )
