"""Does the task tell which experts go? The least useful against as many random ones, float32."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from benchmarks.compression.row import difference, tells
from benchmarks.compression.shipped import Shipped
from edgemoe.compression.compressed import Compressed
from edgemoe.compression.controls import RANDOM_SEEDS, random_like
from edgemoe.compression.decision import Decision
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.pruning import plan_pruning
from edgemoe.compression.task import Task
from edgemoe.compression.trial import Trial
from edgemoe.pass_runner import run_passes

RATIOS = (0.125, 0.25, 0.5)


@dataclass
class Pruner:
    """Judges decisions about experts with all weights in float32."""

    task: Task
    _recognised: ir.Model = field(init=False)

    def __post_init__(self) -> None:
        self._recognised = self.task.buckets.bind(self.task.count)
        phases = ("import", "canonicalise", "recognise")
        run_passes(self._recognised, phases=phases, extra=self.task.plugins)

    def pruned(self, decision: Decision, judge: Judge) -> Verdict:
        graph = self._recognised.clone()
        decision.apply(graph)
        run_passes(graph, phases=("decide", "fuse"), extra=self.task.plugins)
        trial = Trial(graph, [])
        return judge.judge(lambda feed: trial.run(feed, {}, {}), together=True)


def against_chance(
    model: Shipped, found: Compressed, scope: str = "global"
) -> list[dict[str, Any]]:
    """Per ratio: what the scored choice loses on the test split, and what random choices do."""
    pruner, metric = Pruner(model.task), next(iter(model.task.metrics.values()))
    records = []
    for ratio in RATIOS:
        pruning = plan_pruning(found.calibration, ratio, "contribution", scope)  # type: ignore[arg-type]
        if not pruning.kept:
            continue
        scored = pruner.pruned(Decision(pruning=pruning), model.test)
        chance = [
            pruner.pruned(
                Decision(pruning=random_like(pruning, found.calibration, seed)), model.test
            )
            for seed in RANDOM_SEEDS
        ]
        middle = sorted(chance, key=lambda verdict: verdict.loss)[len(chance) // 2]
        gap = difference(metric, scored, middle)
        records.append(
            {
                "ratio": ratio, "scored": scored.loss, "random": [v.loss for v in chance],
                "difference": list(gap), "scored_loses": tells(gap),
            }
        )  # fmt: skip
    return records
