"""The way from a promise to decisions: calibrate, prune, search formats, prove."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.compression.calibration import Calibration, calibrate
from edgemoe.compression.compressed import Compressed
from edgemoe.compression.controls import controls_of, pruning_controls
from edgemoe.compression.decision import Decision, Outliers
from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Judge
from edgemoe.compression.layers import choose_branches
from edgemoe.compression.option import Costs, Option, OptionMaker
from edgemoe.compression.outliers import massive_features
from edgemoe.compression.proof import proven
from edgemoe.compression.pruning import Pruning
from edgemoe.compression.pruning_methods import planned_pruning
from edgemoe.compression.report import verdict_of
from edgemoe.compression.samples import Samples
from edgemoe.compression.search import Measured
from edgemoe.compression.settings import Settings
from edgemoe.compression.skipping import Skipping, plan_skipping
from edgemoe.compression.task import Task
from edgemoe.compression.trained_controls import TrainedControl
from edgemoe.compression.units import unit_bytes, units_of
from edgemoe.errors import BudgetError
from edgemoe.graph_pass import Note
from edgemoe.pass_runner import run_passes
from edgemoe.precision import Pin
from edgemoe.reference import Reference
from edgemoe.weight_format import F32

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

RATIOS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
"""Shares of experts whose removal is tried; from the first that loses too much on, none is."""

AFTER = 5
"""Runs over the proof part that follow the search: the proof and its controls."""

RETREATING = 0.1
"""Of the time: for candidates that lose less, where the proof part refuses what was found."""

CALIBRATING, FEWEST_CALIBRATED = 0.1, 16
"""Of the time: for statistics, and as much again for Gram matrices; and the samples they need."""

FREE = 0.1
"""Of the promised loss: a share of experts that alone loses no more goes in every search."""

BRANCH_SAMPLES = 16
"""Samples that the removal of a sub-layer is judged by."""


def compress(
    task: Task,
    goal: Goal,
    *,
    settings: Settings | None = None,
    precision: str = "auto",
    prune: str | float = "none",
    pins: Sequence[Pin] = (),
    journal: Path | None = None,
    costs: Costs | None = None,
    trained: Sequence[TrainedControl] = (),
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
        costs: measures products on the target, for objectives with latency.
        trained: other models that are judged on the same proof part.
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
    judge, proof = (
        Judge(part, task.metrics, fp32, threads=settings.workers)
        for part in (search_part, proof_part)
    )
    proof_ends = started + goal.seconds - AFTER * (time.monotonic() - began) / 2
    ends = proof_ends - RETREATING * goal.seconds
    graph = task.buckets.bind(task.count)
    run_passes(graph, phases=("import", "canonicalise", "recognise"), extra=task.plugins)
    calibration, affordable = _calibrated(graph, search_part, goal, settings, show)
    maker = OptionMaker(
        task, graph, judge, search_part, settings, precision, pins, journal, goal, show, costs,
        affordable,
    )  # fmt: skip
    base = _base(maker, calibration)
    prunings, tried = _prunings(maker, calibration, prune, base)
    best: tuple[Option, Measured] | None = None
    errors: list[BudgetError] = []
    outliers = _outliers(calibration) if precision == "auto" else {}
    decisions = [replace(base, pruning=pruning) for pruning in prunings]
    if outliers:
        decisions.append(replace(decisions[-1], outliers=outliers))
    for number, decision in enumerate(decisions):
        left = ends - time.monotonic()
        if best is not None and left < 0:
            missed = len(decisions) - number
            text = f"no time for {missed} of {len(decisions)} searches: give --search-time more"
            best[0].notes.append(Note("warning", "search", text))
            break
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
        chosen, verdict = proven(option.search, goal, found, proof, show, proof_ends)
    units, constants = units_of(maker.fused(Decision())[0], task.count)
    original = constants + sum(unit_bytes(unit, F32) for unit in units)
    controls = controls_of(option.search, proof, chosen, original, show)
    if option.decision.removes_experts:
        controls += pruning_controls(maker, option.decision, calibration, proof, show)
    for number, control in enumerate(trained):
        show(f"control: {control.name}", number, len(trained))
        controls.append(control.judged(proof))
    return Compressed(
        task, goal, option, chosen, verdict, proof, calibration, units, constants, controls, tried,
        time.monotonic() - started,
    )  # fmt: skip


def _calibrated(
    graph: ir.Model, samples: Samples, goal: Goal, settings: Settings, show: Progress
) -> tuple[Calibration, int]:
    """What the samples show that fit into a share of the time, and how many do."""
    started, done = time.monotonic(), 0

    def feeds() -> Iterator[Mapping[str, Array]]:
        nonlocal done
        for feed in samples.feeds():
            late = time.monotonic() - started > CALIBRATING * goal.seconds
            if done >= FEWEST_CALIBRATED and late:
                return
            done += 1
            yield feed

    found = calibrate(
        graph, feeds(), threads=settings.workers,
        progress=lambda count: show("calibration", count, len(samples)),
    )  # fmt: skip
    if done < len(samples):
        found.shortage = (
            f"calibrated on {done} of {len(samples)} samples: a longer --search-time takes more"
        )
    each = (time.monotonic() - started) / done
    return found, max(FEWEST_CALIBRATED, int(CALIBRATING * goal.seconds / each))


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
        return found.cost < best.cost
    return found.verdict.counted < best.verdict.counted


def _base(maker: OptionMaker, calibration: Calibration) -> Decision:
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
    maker: OptionMaker, calibration: Calibration, prune: str | float, base: Decision
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
    tried, fitting, free = [], [nothing], 0
    for number, ratio in enumerate(RATIOS):
        maker.show("pruning", number, len(RATIOS))
        pruning = planned(ratio)
        if not (pruning.kept or pruning.merged) or pruning == fitting[-1]:
            continue
        verdict = maker.pruned(replace(base, pruning=pruning), maker.judge)
        tried.append({"ratio": ratio, **verdict_of(verdict)})
        lost = verdict.shifted(goal.margin)
        if goal.max_loss is not None and not lost <= goal.max_loss:
            break
        fitting.append(pruning)
        if goal.max_loss is not None and lost <= FREE * goal.max_loss:
            free = len(fitting) - 1
    # A search for each would take too long: what costs nothing, the largest share, the one halfway.
    last = len(fitting) - 1
    chosen = dict.fromkeys((last, (free + last + 1) // 2, free))
    return [fitting[number] for number in chosen], tried


def _share(prune: str | float) -> float:
    text = str(prune)
    return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
