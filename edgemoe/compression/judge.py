"""Judges candidates on samples: the loss, its interval, and a smooth distance to rank by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.metrics import METRICS, Metric
from edgemoe.compression.output_loss import OutputLoss
from edgemoe.compression.parallel import in_order
from edgemoe.compression.samples import Samples

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""From the inputs of one sample to its outputs."""

Pairs = list[tuple[float, float]]

DRAWS = 1000
"""Sets of samples that are drawn for an interval."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Verdict:
    """What a candidate loses on the samples it was run on.

    `loss` is that of the output for which most is counted, `interval` its paired bootstrap interval
    (Efron and Tibshirani, 1993, ch. 13: percentiles over sets of samples, candidate and fp32 drawn
    together), `value` and `baseline` the metric of that output, `floor` the loss that is to be
    expected of it this far from fp32 (`Metric.distance`). `error` is a sum over outputs of squared
    errors relative to fp32: smooth, and defined without targets. `sums` [outputs, samples, 2] are
    what everything comes from. `each` is the loss of every judged output by its own metric.
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
    rms: Mapping[str, float]  # relative RMS error per output, against fp32
    floor: float = 0.0
    each: Mapping[str, OutputLoss] = field(default_factory=dict)  # empty: one output, the worst

    @property
    def losses(self) -> Mapping[str, OutputLoss]:
        """What every judged output loses, by its name."""
        return self.each or {
            self.output: OutputLoss(
                self.metric, self.loss, self.interval, self.value, self.baseline, self.floor,
                self.error,
            )
        }  # fmt: skip

    @property
    def counted(self) -> float:
        """The loss that a promise is compared with, the largest over the outputs."""
        return self.shifted(0.0)

    @property
    def counted_high(self) -> float:
        """The upper end of the interval, no lower than what is to be expected: the largest."""
        return float(np.max([own.counted_high for own in self.losses.values()]))

    @property
    def standard_error(self) -> float:
        """Of the loss of the worst output, from its interval."""
        return self.losses[self.output].standard_error

    def shifted(self, errors: float) -> float:
        """What is counted, with so many standard errors added to each output: the largest."""
        return float(np.max([own.shifted(errors) for own in self.losses.values()]))


class Judge:
    """Holds what the fp32 model gives on the samples.

    What it gives is kept, so that a candidate costs one run per sample. `threads` samples run side
    by side where that may be; sums come in the order of the samples, whatever their number.
    """

    def __init__(
        self, samples: Samples, metrics: Mapping[str, Metric], fp32: Run, *, threads: int = 1
    ) -> None:
        self.samples, self.metrics, self.threads = samples, dict(metrics), threads

        def wanted_of(number: int) -> dict[str, Array]:
            outputs = fp32(samples.feed(number))
            return {name: np.array(outputs[name]) for name in self.metrics}

        self._wanted = list(in_order(wanted_of, samples.numbers, threads))
        base = [
            self._sums(number, wanted, wanted)
            for number, wanted in zip(samples.numbers, self._wanted, strict=True)
        ]
        self._base = np.array(base).transpose(1, 0, 2)  # [outputs, samples, 2]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.samples)

    def fp32(self) -> Verdict:
        """What the uncompressed model gets."""
        shape = (len(self.metrics), len(self.samples))
        return self._verdict(self._base, np.zeros((*shape, 2)), np.zeros(shape))

    def judge(self, run: Run, *, most: int | None = None, together: bool = False) -> Verdict:
        """Run a candidate on all samples, or on the first `most`.

        `together`: `run` may be called from several threads at a time.
        """
        numbers = self.samples.numbers[:most]

        def one(place: int) -> tuple[Pairs, Pairs, list[float]]:
            number, wanted = numbers[place], self._wanted[place]
            outputs = run(self.samples.feed(number))
            return self._sums(number, outputs, wanted), *self._distances(outputs, wanted)

        parts = list(in_order(one, range(len(numbers)), self.threads if together else 1))
        sums, squares, far = (np.array([part[n] for part in parts]) for n in range(3))
        return self._verdict(sums.transpose(1, 0, 2), squares.transpose(1, 0, 2), far.T)

    def _distances(
        self, outputs: Mapping[str, Array], wanted: Mapping[str, Array]
    ) -> tuple[Pairs, list[float]]:
        """Per output: squared error and squared fp32, and the distance of its metric."""
        pairs = [
            METRICS["rms"].measure(np.asarray(outputs[name]), wanted[name], None)
            for name in self.metrics
        ]  # fmt: skip
        return pairs, [
            0.0 if metric.distance is None
            else metric.distance(np.asarray(outputs[name]), wanted[name])
            for name, metric in self.metrics.items()
        ]  # fmt: skip

    def _sums(
        self, number: int, outputs: Mapping[str, Array], wanted: Mapping[str, Array]
    ) -> Pairs:
        targets = self.samples.target(number)
        return [
            metric.measure(np.asarray(outputs[name]), wanted[name], targets.get(name))
            for name, metric in self.metrics.items()
        ]

    def _verdict(self, sums: Array, squares: Array, distances: Array) -> Verdict:
        """From [outputs, samples, 2]: measured and weight, squared error and squared fp32.

        `distances` [outputs, samples] are those of the metrics.
        """
        count = sums.shape[1]
        base = self._base[:, :count]
        relative = squares[..., 0] / np.maximum(squares[..., 1], 1e-30)
        whole = squares.sum(1)
        rms = np.sqrt(whole[:, 0] / np.maximum(whole[:, 1], 1e-30))
        errors = relative.mean(1)
        drawn = np.random.default_rng(0).integers(0, count, (DRAWS, count)) if count else None
        each = {}
        for place, (name, metric) in enumerate(self.metrics.items()):
            own, fp32 = sums[place], base[place]
            value = metric.value(own[:, 0].sum(), own[:, 1].sum())
            baseline = metric.value(fp32[:, 0].sum(), fp32[:, 1].sum())
            each[name] = OutputLoss(
                metric.name, float(metric.loss(value, baseline)),
                _interval(metric, own, fp32, drawn), float(value), float(baseline),
                metric.floor(float(distances[place].sum()), float(fp32[:, 1].sum()),
                             float(baseline)), float(errors[place]),
            )  # fmt: skip
        counted = np.nan_to_num([own.counted for own in each.values()], nan=np.inf)
        name = list(each)[int(np.argmax(counted))]
        worst = each[name]
        return Verdict(
            worst.loss, worst.interval, name, worst.metric, worst.value, worst.baseline,
            float(relative.sum(0).mean()), count, sums,
            dict(zip(self.metrics, rms.tolist(), strict=True)), worst.floor, each,
        )  # fmt: skip


def _interval(metric: Metric, own: Array, fp32: Array, drawn: Array | None) -> tuple[float, float]:
    if drawn is None:
        return (0.0, 0.0)
    one, other = own[drawn].sum(1), fp32[drawn].sum(1)  # [draws, 2]
    losses = metric.loss(metric.value(one[:, 0], one[:, 1]), metric.value(other[:, 0], other[:, 1]))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(losses, [tail, 100 - tail])
    return float(low), float(high)
