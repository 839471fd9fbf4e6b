"""What a compression decided and measured, as JSON for report.json, `inspect` and the HTML page."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from edgemoe.compression.metric_groups import hurt_most, metric_groups
from edgemoe.precision import TABLE
from edgemoe.weight_format import F32

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed
    from edgemoe.compression.judge import Verdict


def report_of(found: Compressed) -> dict[str, Any]:
    """Bytes by role before and after, formats, losses with intervals, controls, expert use.

    A unit's `hurts` is the output that it hurts most; `metric_groups` is empty for one output.
    """
    search, formats = found.search, found.chosen.candidate.formats
    before: defaultdict[str, int] = defaultdict(int)
    for unit in found.original_units:
        before[unit.role] += search.nbytes(unit, F32)
    before["constants"] = found.original_constants
    after: defaultdict[str, int] = defaultdict(int)
    units, weights, bits = [], 0, 0.0
    hurt = hurt_most(search)
    for number, (unit, given) in enumerate(zip(search.units, formats, strict=True)):
        nbytes = search.nbytes(unit, given)
        after[unit.role] += nbytes
        weights += unit.parameters
        bits += 8.0 * nbytes
        units.append(
            {
                "weights": list(unit.names), "module": unit.origin, "role": unit.role,
                "shape": [unit.columns, unit.depth], "experts": unit.experts, "format": given.name,
                "bytes": nbytes, "alone": search.sensitivity.get((number, given), 0.0),
                "hurts": hurt[number],
            }
        )  # fmt: skip
    after["constants"] = search.fixed_bytes
    return {
        "goal": {"max_loss": found.goal.max_loss, "max_bytes": found.goal.max_bytes},
        "bytes": {"before": dict(before), "after": dict(after)},
        "total": {"before": sum(before.values()), "after": sum(after.values())},
        "average_bits": bits / max(weights, 1),
        "units": units,
        "metric_groups": metric_groups(found),
        "search": verdict_of(found.chosen.verdict),
        "proof": verdict_of(found.verdict),
        "controls": [
            {"name": c.name, "bytes": c.nbytes, **verdict_of(c.verdict)} for c in found.controls
        ],
        **found.option.decision.summary(),
        "tried": found.tried,
        "notes": [
            *filter(None, [found.calibration.shortage]), *(n.text for n in found.option.notes)
        ],
        "calibration": found.calibration.summary(),
        "rounding": _rounding_notes(found),
        "runs": search.trial.runs, "reused": search.journal.reused, "seconds": found.seconds,
    }  # fmt: skip


def verdict_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict without its sums."""
    return {
        "loss": verdict.loss, "interval": list(verdict.interval), "metric": verdict.metric,
        "output": verdict.output, "value": verdict.value, "fp32": verdict.baseline,
        "samples": verdict.samples, "floor": verdict.floor,
    }  # fmt: skip


def _rounding_notes(found: Compressed) -> dict[str, Any]:
    names = [name for unit in found.search.units for name in unit.names]
    compensated = [name for name in names if name in found.search.weights.rounders]
    return {
        "compensated": len(compensated),
        "nearest": sorted({n for n in names if not n.startswith(TABLE)} - set(compensated)),
        "unseen": list(found.search.weights.unseen),
    }
