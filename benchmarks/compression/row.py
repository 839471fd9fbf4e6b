"""One way to make a model small: its bytes, and what it loses on data it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgemoe.compression.judge import DRAWS, Verdict
from edgemoe.compression.metrics import Metric
from edgemoe.compression.report import verdict_of

Row = dict[str, Any]


def row(
    name: str, nbytes: int | None, whole: int, test: Verdict, proof: Verdict | None = None
) -> Row:
    """As JSON holds it; `whole` are the bytes of the model in float32."""
    return {
        "name": name,
        "bytes": nbytes,
        "ratio": None if nbytes is None else whole / nbytes,
        "test": {**verdict_of(test), "error": test.error},
        "proof": None if proof is None else {**verdict_of(proof), "error": proof.error},
    }


def difference(metric: Metric, one: Verdict, other: Verdict) -> tuple[float, float, float]:
    """Loss of `one` minus loss of `other`, and its 95% interval over sets of the same samples.

    Both are verdicts of one judge, of the metric's output. The paired bootstrap of
    `edgemoe.compression.judge`: both are drawn together.
    """
    count = one.samples
    drawn = np.random.default_rng(0).integers(0, count, (DRAWS, count))
    pairs = []
    for verdict in (one, other):
        sums = verdict.sums[0]
        values = metric.value(sums[drawn, 0].sum(1), sums[drawn, 1].sum(1))
        pairs.append(metric.loss(values, np.full(DRAWS, verdict.baseline)))
    low, high = np.percentile(pairs[0] - pairs[1], [2.5, 97.5])
    return one.loss - other.loss, float(low), float(high)


def tells(gap: tuple[float, float, float]) -> str:
    """Whether a difference of losses is one."""
    _, low, high = gap
    return "less" if high < 0 else "more" if low > 0 else "same"
