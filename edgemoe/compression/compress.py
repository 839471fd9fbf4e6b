"""The way from a promise to decisions: calibrate, prune, search formats, prove, report."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.buckets import Buckets, feed_for
from edgemoe.compression.calibration import Calibration, calibrate
from edgemoe.compression.candidates import Weights
from edgemoe.compression.controls import Control, controls_of, pruning_controls
from edgemoe.compression.decision import Decision, Outliers
from edgemoe.compression.goal import Goal
from edgemoe.compression.journal import Journal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.layers import choose_branches
from edgemoe.compression.metrics import Metric, metrics_of
from edgemoe.compression.outliers import massive_features
from edgemoe.compression.pruning import Pruning
from edgemoe.compression.pruning_methods import planned_pruning
from edgemoe.compression.report import report_of
from edgemoe.compression.rounding import gptq
from edgemoe.compression.samples import Samples, samples_of
from edgemoe.compression.search import Measured, Search, possible
from edgemoe.compression.settings import Settings
from edgemoe.compression.skipping import Skipping, plan_skipping
from edgemoe.compression.statistics import Gram
from edgemoe.compression.trial import Trial, flat
from edgemoe.errors import BudgetError, InputError
from edgemoe.frontend import Source
from edgemoe.graph_pass import Note
from edgemoe.pass_runner import run_passes
from edgemoe.plugins import Plugin
from edgemoe.precision import ExpertRounder, Pin, Precision, Unit
from edgemoe.quantise import Codes
from edgemoe.reference import Reference
from edgemoe.weight_format import BF16, F16, F32, WeightFormat, parse

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

SHARE = 0.45
"""Of the time of a search: for the sensitivities; the rest is for what is judged on all samples."""

AFTER = 5
"""Runs over the proof part that follow the search: the proof and its controls."""

RETREATS = 6
"""How often a smaller promise is aimed at when the proof part refuses a candidate."""

RATIOS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
"""Shares of experts whose removal is tried; from the first that loses too much on, none is."""

BRANCH_SAMPLES = 16
"""Samples that the removal of a sub-layer is judged by."""

GRAM_SAMPLES = 128
"""Samples of the search part that Gram matrices are made of."""


@dataclass(frozen=True)
class Task:
    """What to compress: the model, its data, and who judges."""

    source: Source
    buckets: Buckets
    count: int | None  # tokens of a sample
    samples: Samples
    metrics: Mapping[str, Metric]
    plugins: Sequence[Plugin] = ()


@dataclass
class Compressed:
    """Decisions with their proof."""

    task: Task
    goal: Goal
    option: Option
    chosen: Measured
    verdict: Verdict  # of the proof part, by the trial; the artifact is measured once more
    proof: Judge
    calibration: Calibration
    original_units: Sequence[Unit]
    original_constants: int  # bytes
    controls: list[Control] = field(default_factory=list)
    tried: list[dict[str, Any]] = field(default_factory=list)  # pruning ratios
    seconds: float = 0.0

    @property
    def search(self) -> Search:
        """The search that found the formats."""
        return self.option.search

    @property
    def precision(self) -> Precision:
        """The formats as lowering reads them."""
        formats = {
            name: given
            for unit, given in zip(self.search.units, self.chosen.candidate.formats, strict=True)
            for name in unit.names
        }
        rounders = self.search.weights.rounders
        return Precision(formats=formats, rounders=rounders, pins=self.option.pins)

    @property
    def changes_graph(self) -> bool:
        """Tell whether the graph is another one than the model that came in."""
        return self.option.decision.changes_graph

    def change(self, graph: ir.Model) -> list[Note]:
        """Apply the decisions to a recognised graph of any token bucket."""
        return self.option.decision.apply(graph)[0]

    def retreat(self) -> Compressed:
        """Decisions that lose less: the artifact lost more than these promised."""
        refused = retreat(self.search, self.goal, self.chosen)
        chosen, verdict = _proven(self.search, self.goal, refused, self.proof, self.search.show)
        return replace(self, chosen=chosen, verdict=verdict)

    def nearest(self, nbytes: int) -> str:
        """The message for a budget of bytes that the promised loss does not allow."""
        loss, limit = self.goal.max_loss, self.goal.max_bytes
        assert limit is not None
        text = (
            f"a loss of at most {loss:.3%} needs {nbytes:,} B of weights, --max-bytes allows "
            f"{limit:,} B (over by {nbytes - limit:,} B)"
        )
        search = self.search
        fitting = search.within_bytes(limit) or search.smallest()
        smaller = [m for m in search.archive.values() if m.nbytes <= limit]
        best = min([*smaller, search.measure(fitting)], key=lambda m: m.verdict.loss)
        text += f"\n  nearest: {best.nbytes:,} B lose {best.verdict.loss:.3%}"
        return text + f"\n  try: --max-bytes {nbytes}, a larger --max-loss, or --prune auto"

    def report(self) -> dict[str, Any]:
        """Everything that was decided and measured, as JSON holds it."""
        return report_of(self)


def task_of(
    source: Source,
    buckets: Buckets,
    given: Mapping[str, Array],
    metric: str,
    plugins: Sequence[Plugin] = (),
    only: Mapping[str, str] | None = None,
) -> Task:
    """Fit calibration arrays to the model; `only` keeps the samples of one task or domain.

    Raises:
        InputError: names, shapes or types do not fit.
        OptionError: the metric does not.
    """
    count = _tokens_of(source, buckets, given)
    graph = buckets.bind(count)
    rest = feed_for(graph, source.examples, source.states)
    samples = samples_of(given, graph, rest, only)
    outputs = {
        str(value.name): graph_facts.shape_of(value) or ()
        for value in graph.graph.outputs
        if value.dtype is not None
        and value.dtype.is_floating_point()
        and str(value.name) not in source.states.values()
    }
    metrics = metrics_of(metric, outputs, samples.targets)
    if not metrics:
        raise InputError("the model has no output of floats that a loss could be measured on")
    return Task(source, buckets, count, samples, metrics, plugins)


def _tokens_of(source: Source, buckets: Buckets, given: Mapping[str, Array]) -> int | None:
    """The token count of the samples: the extent where an input has its token axis."""
    if buckets.dimension is None:
        return buckets.counts[0]
    for info in buckets.infos(source.states)[0]:
        array = given.get(info.name)
        if info.token_axis is None or array is None:
            continue
        axis = info.token_axis
        if array.ndim - 1 == len(info.shape) - 1:  # a leading axis of 1 was left out
            axis -= 1
        if 0 <= axis < array.ndim - 1:
            return int(array.shape[1 + axis])
    return buckets.counts[-1]


def compress(
    task: Task,
    goal: Goal,
    *,
    settings: Settings | None = None,
    precision: str = "auto",
    prune: str | float = "none",
    pins: Sequence[Pin] = (),
    journal: Path | None = None,
    show: Progress = lambda what, done, total: None,
) -> Compressed:
    """Choose which experts stay, and a format for every weight.

    Args:
        task: the model and its data.
        goal: the budgets.
        settings: how to search.
        precision: "auto", or the one format for all weights.
        prune: "none", "auto" or the share of experts to remove.
        pins: formats by pattern, which are not searched.
        journal: a file that keeps verdicts until the search is done.
        show: called with (what, done, total).

    Raises:
        BudgetError: no candidate keeps the promise; says what comes nearest.
        InputError: there are too few samples.
    """
    started = time.monotonic()
    settings = settings or Settings()
    search_part, proof_part = task.samples.split(goal.seed)
    reference = Reference(task.buckets)

    def fp32(feed: Mapping[str, Array]) -> Mapping[str, Array]:
        return reference.run(feed, task.count)

    show("fp32 outputs", 0, 1)
    began = time.monotonic()
    judge, proof = (Judge(part, task.metrics, fp32) for part in (search_part, proof_part))
    ends = started + goal.seconds - AFTER * (time.monotonic() - began) / 2
    graph = task.buckets.bind(task.count)
    run_passes(graph, phases=("import", "canonicalise", "recognise"), extra=task.plugins)
    calibration = calibrate(
        graph, search_part.feeds(),
        progress=lambda done: show("calibration", done, len(search_part)),
    )  # fmt: skip
    maker = _Maker(task, graph, judge, search_part, settings, precision, pins, journal, goal, show)
    base = _base(maker, calibration)
    prunings, tried = _prunings(maker, calibration, prune, base)
    best: tuple[Option, Measured] | None = None
    errors: list[BudgetError] = []
    outliers = _outliers(calibration) if precision == "auto" else {}
    decisions = [replace(base, pruning=pruning) for pruning in prunings]
    if outliers:
        decisions.append(replace(base, outliers=outliers))
    for number, decision in enumerate(decisions):
        left = ends - time.monotonic()
        deadline = time.monotonic() + left / (len(decisions) - number)
        option = maker.option(decision)
        try:
            found = option.find(goal, deadline)
        except BudgetError as error:
            errors.append(error)
            continue
        if best is None or _is_better(found, best[1], goal):
            best = option, found
    if best is None:
        raise errors[0]
    option, found = best
    if goal.max_loss is None and goal.max_bytes is None:
        chosen, verdict = found, option.search.judge_on(proof, found.candidate)
    else:
        chosen, verdict = _proven(option.search, goal, found, proof, show)
    units, constants = units_of(maker.fused(Decision())[0], task.count)
    original = constants + sum(unit_bytes(unit, F32) for unit in units)
    controls = controls_of(option.search, proof, chosen, original, show)
    if option.decision.removes_experts:
        controls += pruning_controls(maker, option.decision, calibration, proof, show)
    return Compressed(
        task, goal, option, chosen, verdict, proof, calibration, units, constants, controls, tried,
        time.monotonic() - started,
    )  # fmt: skip


def _outliers(calibration: Calibration) -> Outliers:
    """Massive features of the inputs of products, by the name of the weight."""
    found = {
        name: tuple(massive_features(product.channel_absmax))
        for name, product in calibration.products.items()
        if product.rows and product.layout == "rows"
    }  # fmt: skip
    return {name: features for name, features in found.items() if features}


def _is_better(found: Measured, best: Measured, goal: Goal) -> bool:
    if goal.max_loss is not None:
        return found.nbytes < best.nbytes
    return found.verdict.loss < best.verdict.loss


def _base(maker: _Maker, calibration: Calibration) -> Decision:
    """Sub-layers to remove and choices to skip, where settings ask for them."""
    settings, data = maker.settings, maker.data
    branches: tuple[str, ...] = ()
    if settings.drop_branches:
        some = [data.feed(number) for number in data.numbers[:BRANCH_SAMPLES]]
        maker.show("sub-layers", 0, 1)
        chosen = choose_branches(
            maker.recognised, some, settings.drop_branches, outputs=list(maker.task.metrics)
        )
        branches = tuple(name for name, _ in chosen)
    skipping = plan_skipping(calibration, settings.skip) if settings.skip else Skipping()
    return Decision(branches, skipping=skipping)


def _prunings(
    maker: _Maker, calibration: Calibration, prune: str | float, base: Decision
) -> tuple[list[Pruning], list[dict[str, Any]]]:
    """What is searched on: no pruning, a given share, or the largest that the promise allows."""
    nothing, settings, goal = Pruning(), maker.settings, maker.goal

    def planned(ratio: float) -> Pruning:
        return planned_pruning(
            maker.recognised, calibration, maker.data, ratio, settings.prune_method,
            settings.prune_scope, goal.seed,
        )  # fmt: skip

    if prune not in ("none", "auto"):
        return [planned(_share(prune))], []
    if prune == "none" or not calibration.regions:
        return [nothing], []
    tried, fitting = [], [nothing]
    for number, ratio in enumerate(RATIOS):
        maker.show("pruning", number, len(RATIOS))
        pruning = planned(ratio)
        if not (pruning.kept or pruning.merged) or pruning == fitting[-1]:
            continue
        verdict = maker.pruned(replace(base, pruning=pruning), maker.judge)
        tried.append({"ratio": ratio, "loss": verdict.loss, "interval": list(verdict.interval)})
        spread = goal.margin * verdict.standard_error
        if goal.max_loss is not None and not verdict.loss + spread <= goal.max_loss:
            break
        fitting.append(pruning)
    # A search for each would take too long: none, the largest share, and the one halfway.
    return list(
        {id(p): p for p in (nothing, fitting[len(fitting) // 2], fitting[-1])}.values()
    ), tried


def _share(prune: str | float) -> float:
    text = str(prune)
    return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


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
        search.sense(SHARE * max(deadline - time.monotonic(), 1.0))
        if goal.max_loss is not None:
            found = search.evolve(search.largest_error(goal, deadline), goal, deadline)
        elif goal.max_bytes is not None:
            found = search.evolve(_within_bytes(search, goal.max_bytes), goal, deadline)
        else:
            found = search.measure(search.best)
        if not search.keeps(found, replace(goal, margin=0.0)):
            raise BudgetError(_infeasible(search, goal, found))
        return found


@dataclass
class _Maker:
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

    def fused(self, decision: Decision) -> tuple[ir.Model, list[Note], tuple[Pin, ...]]:
        """The graph that is lowered, after a decision."""
        graph = self.recognised.clone()
        notes, pins = decision.apply(graph)
        run_passes(graph, phases=("decide", "fuse"), extra=self.task.plugins)
        return graph, notes, (*pins, *self.pins)

    def pruned(self, decision: Decision, judge: Judge) -> Verdict:
        """What a decision alone loses, all weights in float32."""
        trial = Trial(self.fused(decision)[0], [], threads=self.settings.threads)
        return judge.judge(lambda feed: trial.run(feed, {}, {}))

    def option(self, decision: Decision) -> Option:
        """A search on the graph after a decision."""
        graph, notes, pins = self.fused(decision)
        units, fixed_bytes = units_of(graph, self.task.count, pins)
        trial = Trial(graph, units, threads=self.settings.threads)
        weights = Weights(units, trial.weights, self._rounders(graph, units, trial))
        search = Search(
            units, self._choices(units, trial, pins), unit_bytes, fixed_bytes, trial, weights,
            self.judge, Journal(self.journal, self._subject(trial, decision)), self.show,
        )  # fmt: skip
        return Option(decision, search, notes, pins, graph)

    def _choices(
        self, units: Sequence[Unit], trial: Trial, pins: Sequence[Pin]
    ) -> list[list[WeightFormat]]:
        pinned = Precision(F32 if self.precision == "auto" else parse(self.precision), pins=pins)
        listed = [parse(name) for name in self.settings.formats]
        choices = []
        for unit in units:
            is_pinned = any(pin.matches(unit) for pin in pins)
            if is_pinned or self.precision != "auto":
                choices.append([pinned.choose(unit)])
            else:
                own = [F16, BF16] if unit.role in ("router", "constant") else listed
                choices.append(possible(unit, own, trial.weights))
        return choices

    def _rounders(
        self, graph: ir.Model, units: Sequence[Unit], trial: Trial
    ) -> dict[str, ExpertRounder]:
        if self.settings.rounding == "nearest":
            return {}
        names = [name for unit in units for name in unit.names if name in trial.products]
        some = self.data.some(self.data.numbers[:GRAM_SAMPLES])
        seen = calibrate(
            flat(graph), some.feeds(), grams=names,
            progress=lambda done: self.show("Gram matrices", done, len(some)),
        )  # fmt: skip
        return {
            name: _rounder(seen.grams[name], unit.experts)
            for unit in units for name in unit.names if name in seen.grams
        }  # fmt: skip

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


def units_of(
    graph: ir.Model, count: int | None, pins: Sequence[Pin] = ()
) -> tuple[list[Unit], int]:
    """The units of a fused graph, by asking lowering, and the bytes of all other constants."""
    from edgemoe.targets.cpu import lower_variants

    precision = Precision(pins=pins)
    lowered = lower_variants([graph.clone()], [count], precision)
    units = list(precision.asked.values())
    own = sum(unit_bytes(unit, precision.choose(unit)) for unit in units)
    return units, max(0, lowered.weights.nbytes - own)


def unit_bytes(unit: Unit, given: WeightFormat) -> int:
    """Bytes of a unit's packed weights."""
    from edgemoe.targets.kernels.panels import PANEL, panel_bytes
    from edgemoe.targets.kernels.row_codes import part_bytes

    if unit.role == "constant":
        return unit.depth * given.bits // 8
    given = given.for_depth(unit.depth)
    if unit.role == "token_mix":
        return sum(part_bytes(unit.columns, unit.depth, given))
    return max(1, unit.experts) * -(-unit.columns // PANEL) * panel_bytes(unit.depth, given)


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
    return (
        f"--max-loss {goal.max_loss:.3%} cannot be kept: even with {search.best.formats[0]} "
        f"weights the loss is {best.verdict.loss:.3%} on the search part; nearest: "
        f"{found.verdict.loss:.3%} with {found.nbytes:,} B\n  try: a larger --max-loss, or fewer "
        "pins in --precision"
    )


def _proven(
    search: Search, goal: Goal, found: Measured, proof: Judge, show: Progress
) -> tuple[Measured, Verdict]:
    """Of the candidates of the search, the smallest that also keeps its promise on the proof part.

    Each that fails makes the next one lose less on the search part.
    """
    current = found
    for attempt in range(RETREATS + 1):
        show("proof", attempt, RETREATS + 1)
        verdict = search.judge_on(proof, current.candidate)
        if goal.holds(verdict):
            return current, verdict
        current = retreat(search, goal, current)
    verdict = search.judge_on(proof, search.best)
    return search.measure(search.best), verdict


def retreat(search: Search, goal: Goal, refused: Measured) -> Measured:
    """The smallest candidate that loses clearly less than one that the proof refused."""
    assert goal.max_loss is not None
    limit = 0.7 * max(refused.verdict.loss, 0.25 * goal.max_loss)
    error = 0.7 * refused.verdict.error
    fitting = [
        m
        for m in search.archive.values()
        if m.verdict.loss <= limit and m.verdict.error <= error and m.nbytes > refused.nbytes
    ]
    return min(fitting, key=lambda m: m.nbytes, default=search.measure(search.best))
