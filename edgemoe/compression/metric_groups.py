"""Groups of layers by the metric that they hurt most (MixDQ, Zhao et al., 2024, sec. 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgemoe.compression.search import NOISE
from edgemoe.weight_format import F32

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed
    from edgemoe.compression.search import Search


def hurt_most(search: Search) -> list[str | None]:
    """The judged output that each unit hurts most; None where none was seen to move.

    Errors of single changes are compared as shares of what each output may take up to its promise
    (`Search.error_limits`), or as they are where no such limits were looked for.
    """
    names = list(search.judge.metrics)
    limits = np.ones(len(names)) if search.error_limits is None else search.error_limits
    found: list[str | None] = []
    for number, choices in enumerate(search.choices):
        errors = np.sum([search.errors_by_output[number, given] for given in choices], axis=0)
        moved = errors > NOISE * len(choices)
        shares = np.where(moved, errors, 0.0) / limits
        found.append(names[int(shares.argmax())] if moved.any() else None)
    return found


def metric_groups(found: Compressed) -> list[dict[str, Any]]:
    """For every judged output of several: its metric, its layers with their bytes, its proof.

    Returns nothing for one output. `bytes` are of the weights that hurt this output most, in
    float32 and as chosen; `error_limit` is the summed squared error, relative to fp32, up to which
    the program lets them go, or None.
    """
    search, formats = found.search, found.chosen.candidate.formats
    if len(search.judge.metrics) < 2:
        return []
    hurt, groups = hurt_most(search), []
    for place, (name, own) in enumerate(found.verdict.losses.items()):
        members = [n for n, output in enumerate(hurt) if output == name]
        units = [search.units[n] for n in members]
        before = sum(search.nbytes(unit, F32) for unit in units)
        after = sum(search.nbytes(search.units[n], formats[n]) for n in members)
        limits = search.error_limits
        groups.append({
            "output": name, "metric": own.metric, "layers": [unit.names[0] for unit in units],
            "bytes": {"before": before, "after": after},
            "average_bits": 8.0 * after / max(sum(unit.parameters for unit in units), 1),
            "error_limit": None if limits is None else float(limits[place]),
            "loss": own.loss, "interval": list(own.interval), "floor": own.floor,
            "value": own.value, "fp32": own.baseline,
        })  # fmt: skip
    return groups
