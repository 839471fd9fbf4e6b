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
from edgemoe.compression.candidates import Candidate, Weights
from edgemoe.compression.controls import Control, controls_of
from edgemoe.compression.journal import Journal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.metrics import Metric, metrics_of
from edgemoe.compression.samples import Samples, samples_of
from edgemoe.compression.search import Goal, Measured, Search, possible
from edgemoe.compression.trial import Trial
from edgemoe.errors import BudgetError, InputError
from edgemoe.frontend import Source
from edgemoe.pass_runner import run_passes
from edgemoe.plugins import Plugin
from edgemoe.precision import Pin, Precision, Unit
from edgemoe.reference import Reference
from edgemoe.weight_format import WeightFormat, parse

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

FORMATS = ("f16", "i8", "i8.a32", "i4", "i4.g64", "i4.g128", "i4.a32", "i2", "i2.g64")
"""What the search chooses from, beside float32; the first of a family is the one measured."""

SHARE = 0.45
"""Of the time: for the sensitivities; the rest is for what is judged on all samples."""

RETREATS = 6
"""How often a smaller promise is aimed at when the proof part refuses a candidate."""


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
    """Decisions with their proof; `alternatives` are smaller promises, best first."""

    precision: Precision
    search_verdict: Verdict
    proof_verdict: Verdict
    proof: Judge
    task: Task
    units: Sequence[Unit]
    candidate: Candidate
    nbytes: int
    fixed_bytes: int
    search: Search
    goal: Goal
    controls: list[Control] = field(default_factory=list)
    seconds: float = 0.0


def task_of(
    source: Source,
    buckets: Buckets,
    given: Mapping[str, Array],
    metric: str,
    plugins: Sequence[Plugin] = (),
) -> Task:
    """Fit calibration arrays to the model.

    Raises:
        InputError: names, shapes or types do not fit.
        OptionError: the metric does not.
    """
    count = _tokens_of(source, buckets, given)
    graph = buckets.bind(count)
    rest = feed_for(graph, source.examples, source.states)
    samples = samples_of(given, graph, rest)
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
    formats: Sequence[str] = FORMATS,
    pins: Sequence[Pin] = (),
    journal: Path | None = None,
    show: Progress = lambda what, done, total: None,
    threads: int = 1,
) -> Compressed:
    """Choose a format for every weight.

    Raises:
        BudgetError: no candidate keeps the promise; says what comes nearest.
    """
    started = time.monotonic()
    graph = task.buckets.bind(task.count)
    reference = Reference(task.buckets)
    show("fp32 outputs", 0, 1)
    search_part, proof_part = task.samples.split(goal.seed)

    def fp32(feed: Mapping[str, Array]) -> Mapping[str, Array]:
        return reference.run(feed, task.count)

    judge, proof = (Judge(part, task.metrics, fp32) for part in (search_part, proof_part))
    run_passes(graph, extra=task.plugins)
    units, fixed_bytes = units_of(graph, task.count, pins)
    search = _search(task, graph, units, fixed_bytes, judge, formats, pins, journal, goal, threads)
    search.show = show
    budget = goal.seconds - (time.monotonic() - started)
    search.sense(SHARE * budget)
    found = _best(search, goal, started + goal.seconds)
    if not search.keeps(found, replace(goal, margin=0.0)):
        raise BudgetError(_infeasible(search, goal, found))
    chosen, verdict = _proven(search, goal, found, proof, show)
    controls = controls_of(search, proof, chosen, show)
    return Compressed(
        precision_of(search, chosen.candidate, pins), chosen.verdict, verdict, proof, task, units,
        chosen.candidate, chosen.nbytes, fixed_bytes, search, goal, controls,
        time.monotonic() - started,
    )  # fmt: skip


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

    given = given.for_depth(unit.depth)
    return max(1, unit.experts) * -(-unit.columns // PANEL) * panel_bytes(unit.depth, given)


def precision_of(search: Search, candidate: Candidate, pins: Sequence[Pin]) -> Precision:
    """A candidate as lowering reads it."""
    formats = {
        name: given
        for unit, given in zip(search.units, candidate.formats, strict=True)
        for name in unit.names
    }
    return Precision(formats=formats, rounders=search.weights.rounders, pins=pins)


def _search(
    task: Task, graph: ir.Model, units: Sequence[Unit], fixed_bytes: int, judge: Judge,
    formats: Sequence[str], pins: Sequence[Pin], journal: Path | None, goal: Goal, threads: int,
) -> Search:  # fmt: skip
    trial = Trial(graph, units, threads=threads)
    listed = [parse(name) for name in formats]
    pinned = Precision(pins=pins)
    choices = []
    for unit in units:
        is_pinned = any(pin.matches(unit) for pin in pins)
        if is_pinned or unit.role == "router":
            choices.append([pinned.choose(unit)])
        else:
            choices.append(possible(unit, listed, trial.weights))
    subject = hashlib.blake2b(digest_size=16)
    for name, array in sorted(trial.weights.items()):
        subject.update(name.encode())
        subject.update(array.tobytes())
    for name, array in sorted({**task.samples.arrays, **task.samples.targets}.items()):
        subject.update(name.encode())
        subject.update(np.ascontiguousarray(array).tobytes())
    subject.update(repr((goal.seed, list(task.metrics.items()), len(units))).encode())
    return Search(
        units, choices, unit_bytes, fixed_bytes, trial, Weights(units, trial.weights), judge,
        Journal(journal, subject.hexdigest()),
    )  # fmt: skip


def _best(search: Search, goal: Goal, deadline: float) -> Measured:
    if goal.max_loss is not None:
        return search.evolve(search.largest_error(goal), goal, deadline)
    assert goal.max_bytes is not None
    start = search.within_bytes(goal.max_bytes)
    if start is None:
        smallest = search.smallest()
        raise BudgetError(
            f"--max-bytes {goal.max_bytes:,} B cannot be met: the smallest that the formats allow "
            f"is {search.bytes_of(smallest):,} B, with a loss of "
            f"{search.measure(smallest).verdict.loss:.3%} on the search part\n  try: "
            f"--max-bytes {search.bytes_of(smallest)}, or --prune auto"
        )
    return search.evolve(search.measure(start), goal, deadline)


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
        if goal.max_loss is None or verdict.loss <= goal.max_loss:
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
