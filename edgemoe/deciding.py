"""What a search decides before anything is lowered, and how the finished artifact is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgemoe.artifact import Artifact
from edgemoe.compression.samples import FEWEST
from edgemoe.errors import BudgetError
from edgemoe.measured_loss import measurer
from edgemoe.narrow_caches import Narrowed
from edgemoe.precision import Unit
from edgemoe.reference import Reference
from edgemoe.weight_format import WeightFormat

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed
    from edgemoe.compression.goal import Goal
    from edgemoe.compression.option import Costs
    from edgemoe.compression.task import Task
    from edgemoe.targets.spec import TargetSpec

Progress = Callable[[str, int, int], None]

REBUILDS = 3
"""How often an artifact is made again whose loss was larger than the search foresaw."""


def write_within(
    write: Callable[[Compressed | None], Artifact], decided: Compressed | None
) -> tuple[Artifact, Compressed | None]:
    """Write the artifact; where it loses more than the search foresaw, one that loses less."""
    for _ in range(REBUILDS - 1):
        try:
            return write(decided), decided
        except BudgetError:
            if decided is None or decided.is_best:
                raise
            decided = decided.retreat()
    return write(decided), decided


def foreseen(decided: Compressed | None, spec: TargetSpec, unknown: bool) -> dict[str, Any]:
    """Accuracy figures before the artifact is measured: the search's, or that there are none.

    `unknown`: the artifact rounds, and this machine cannot run it.
    """
    if decided is not None or not unknown:
        return {} if decided is None else decided.foreseen()
    return {
        "loss by rounding": f"not measured, this machine cannot run code for {spec.name}; compile "
        "for a target of this machine to see what the format costs"
    }


def costs_of(spec: TargetSpec, runner: str) -> Costs:
    """What times products on the target, when a search asks for it."""

    def costs(
        units: Sequence[Unit], choices: Sequence[Sequence[WeightFormat]], show: Progress
    ) -> Callable[[Unit, WeightFormat], float]:
        from edgemoe.compression.latency import measured
        from edgemoe.targets.tuning.runners import runner_of

        return measured(units, choices, spec, runner_of(runner, spec), show)

    return costs


def measure_of(
    task: Task | None, decided: Compressed | None, reference: Reference, goal: Goal,
    narrowed: Narrowed, *, static: bool, own: bool,
) -> Callable[[Path], dict[str, Any]]:  # fmt: skip
    """What measures the finished artifact: on the proof part where there was a search.

    `static`: it is a program of integers, whose bits are known; `own`: see `measurer`.
    """
    judge, what = None, "calibration samples"
    if static and task is not None and len(task.samples) >= FEWEST:
        from edgemoe.compression.judge import Judge

        _, proof = task.samples.split(goal.seed)
        judge = Judge(proof, task.metrics, lambda feed: reference.run(feed, task.count))
        what = "samples that the search did not see"
        return measurer(judge, what, goal, narrowed, own=False)
    if decided is not None:
        judge, what = decided.proof, "samples that the search did not see"
    elif task is not None:
        from edgemoe.compression.judge import Judge

        judge = Judge(task.samples, task.metrics, lambda feed: reference.run(feed, task.count))
    return measurer(judge, what, goal, narrowed, own=own)
