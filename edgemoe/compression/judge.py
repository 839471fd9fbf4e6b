"""Judges candidates on samples: the loss, its interval, and a smooth distance to rank by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.metrics import METRICS, Metric
from edgemoe.compression.samples import Samples

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""From the inputs of one sample to its outputs."""

DRAWS = 1000
"""Sets of samples that are drawn for an interval."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Verdict:
    """What a candidate loses on the samples it was run on.

    `loss` is the largest over the judged outputs, `interval` its paired bootstrap interval (Efron
    and Tibshirani, 1993, ch. 13: percentiles over sets of samples, candidate and fp32 drawn
    together), `value` and `baseline` the metric of that output. `error` is a sum over outputs of
    squared errors relative to fp32: smooth, and defined without targets. `sums` [outputs, samples,
    2] are what everything comes from.
    """

    loss: float
    interval: tuple[float, float]
    output: str
    metric: str
    value: float
    baseline: float
    error: float
    samples: int
    sums: Array

    @property
    def standard_error(self) -> float:
        """Of the loss, from its interval."""
        return (self.interval[1] - self.interval[0]) / (2 * 1.96)


class Judge:
    """Holds what the fp32 model gives on the samples.

    Outputs are kept where they are small, so that a candidate costs one run per sample.
    """

    def __init__(self, samples: Samples, metrics: Mapping[str, Metric], fp32: Run) -> None:
        self.samples, self.metrics = samples, dict(metrics)
        self._wanted: list[dict[str, Array]] = []
        base = []
        for number in samples.numbers:
            outputs = fp32(samples.feed(number))
            wanted = {name: np.array(outputs[name]) for name in self.metrics}
            self._wanted.append(wanted)
            base.append(self._sums(number, wanted, wanted))
        self._base = np.array(base).transpose(1, 0, 2)  # [outputs, samples, 2]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.samples)

    def fp32(self) -> Verdict:
        """What the uncompressed model gets."""
        return self._verdict(self._base, 0.0, len(self.samples))

    def judge(self, run: Run, *, most: int | None = None) -> Verdict:
        """Run a candidate on all samples, or on the first `most`."""
        numbers = self.samples.numbers[:most]
        sums, errors = [], 0.0
        for place, number in enumerate(numbers):
            outputs, wanted = run(self.samples.feed(number)), self._wanted[place]
            sums.append(self._sums(number, outputs, wanted))
            errors += sum(_relative_error(outputs[name], wanted[name]) for name in self.metrics)
        found = np.array(sums).transpose(1, 0, 2)
        return self._verdict(found, errors / max(len(numbers), 1), len(numbers))

    def _sums(
        self, number: int, outputs: Mapping[str, Array], wanted: Mapping[str, Array]
    ) -> list[tuple[float, float]]:
        targets = self.samples.target(number)
        return [
            metric.measure(np.asarray(outputs[name]), wanted[name], targets.get(name))
            for name, metric in self.metrics.items()
        ]

    def _verdict(self, sums: Array, error: float, count: int) -> Verdict:
        base = self._base[:, :count]
        losses, intervals, values, baselines = [], [], [], []
        drawn = np.random.default_rng(0).integers(0, count, (DRAWS, count)) if count else None
        for own, fp32, metric in zip(sums, base, self.metrics.values(), strict=True):
            value = metric.value(own[:, 0].sum(), own[:, 1].sum())
            baseline = metric.value(fp32[:, 0].sum(), fp32[:, 1].sum())
            losses.append(float(metric.loss(value, baseline)))
            values.append(float(value))
            baselines.append(float(baseline))
            intervals.append(_interval(metric, own, fp32, drawn))
        worst = int(np.argmax(np.nan_to_num(losses, nan=np.inf)))
        name = list(self.metrics)[worst]
        return Verdict(
            losses[worst], intervals[worst], name, self.metrics[name].name, values[worst],
            baselines[worst], error, count, sums,
        )  # fmt: skip


def _interval(metric: Metric, own: Array, fp32: Array, drawn: Array | None) -> tuple[float, float]:
    if drawn is None:
        return (0.0, 0.0)
    one, other = own[drawn].sum(1), fp32[drawn].sum(1)  # [draws, 2]
    losses = metric.loss(metric.value(one[:, 0], one[:, 1]), metric.value(other[:, 0], other[:, 1]))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(losses, [tail, 100 - tail])
    return float(low), float(high)


def _relative_error(output: Array, wanted: Array) -> float:
    measured, weight = METRICS["rms"].measure(np.asarray(output), wanted, None)
    return measured / max(weight, 1e-30)
