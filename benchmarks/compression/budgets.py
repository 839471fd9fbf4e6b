"""Searches under a promised loss, with their controls, judged on the test split."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.compression.progress import say
from benchmarks.compression.pruned import Pruner
from benchmarks.compression.row import Row, row
from benchmarks.compression.shipped import Shipped
from edgemoe.compression.compress import compress
from edgemoe.compression.compressed import Compressed
from edgemoe.compression.controls import Control, controls_of, pruning_controls
from edgemoe.compression.settings import Settings
from edgemoe.compression.trained_controls import TrainedControl
from edgemoe.errors import BudgetError
from edgemoe.weight_format import F32


def searched(
    model: Shipped, max_loss: float, settings: Settings, prune: str,
    trained: Sequence[TrainedControl],
) -> Compressed:  # fmt: skip
    """What `edgemoe compile --max-loss` decides."""
    return compress(
        model.task, settings.goal(max_loss, None), settings=settings, prune=prune, trained=trained,
        show=say(f"{model.name}, prune {prune}"),
    )  # fmt: skip


def promised(
    model: Shipped, max_loss: float, settings: Settings, prune: str,
    trained: Sequence[TrainedControl] = (),
) -> tuple[dict[str, Any], Compressed | None]:  # fmt: skip
    """The rows of a budget: what was chosen, and every control.

    Args:
        model: which.
        max_loss: the promise.
        settings: of the search.
        prune: "none" or "auto".
        trained: other models to judge.
    """
    started = time.monotonic()
    try:
        found = searched(model, max_loss, settings, prune, trained)
    except BudgetError as error:
        return {"prune": prune, "max_loss": max_loss, "failed": str(error)}, None
    search = found.search
    whole = original_bytes(found)
    on_test = controls_of(search, model.test, found.chosen, whole, say(f"{model.name}, test split"))
    if found.option.decision.removes_experts:
        pruner = Pruner(found.task)
        on_test += pruning_controls(
            pruner, found.option.decision, found.calibration, model.test, say(model.name)
        )
    on_test += [control.judged(model.test) for control in trained]
    test = search.judge_on(model.test, found.chosen.candidate)
    rows = [row("chosen", found.chosen.nbytes, whole, test, found.verdict)]
    rows += _beside(found.controls, on_test, whole)
    record = {
        "prune": prune, "max_loss": max_loss, "failed": None, "rows": rows,
        "seconds": found.seconds, "with_controls_seconds": time.monotonic() - started,
        "runs": search.trial.runs, "tried": found.tried,
        "decision": found.option.decision.summary(),
        "formats": [
            {"weight": unit.title, "format": given.name}
            for unit, given in zip(search.units, found.chosen.candidate.formats, strict=True)
        ],
    }  # fmt: skip
    return record, found


def original_bytes(found: Compressed) -> int:
    """All weights of the model that came in, float32."""
    units = sum(found.search.nbytes(unit, F32) for unit in found.original_units)
    return found.original_constants + units


def _beside(proof: list[Control], test: list[Control], whole: int) -> list[Row]:
    """Controls of two judges, which list the same."""
    return [
        row(one.name, one.nbytes, whole, other.verdict, one.verdict)
        for one, other in zip(proof, test, strict=True)
    ]
