"""What a loss of accuracy is: task metrics against targets, or the distance to the fp32 model.

Every metric is a sum over samples, so that it streams, and so that samples can be drawn again for
an interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import InputError, OptionError

Array = NDArray[Any]
Measure = Callable[[Array, Array, Array | None], tuple[float, float]]
"""(output, fp32 output, target) -> (measured, weight); the metric is their sums' ratio."""

Distance = Callable[[Array, Array], float]
"""(output, fp32 output) -> how much more is measured on average, of targets that fp32 predicts."""


@dataclass(frozen=True)
class Metric:
    """How one output is judged.

    `relative` metrics lose (candidate - fp32) / fp32, or its negative where higher is better;
    others are a distance to fp32 themselves. `root` takes the root of the ratio of sums.

    `distance` is what a change of the outputs costs on average if it has nothing to do with how
    fp32 errs. On few samples the measured loss may be smaller, or a gain, by chance alone.
    """

    name: str
    unit: str
    measure: Measure
    relative: bool = False
    higher_is_better: bool = False
    root: bool = False
    needs_target: bool = False
    distance: Distance | None = None

    def value(self, measured: Array, weights: Array) -> Array:
        """The metric from sums over samples; elementwise over drawn sets of samples."""
        ratio = measured / np.maximum(weights, 1e-300)
        found: Array = np.sqrt(ratio) if self.root else ratio
        return found

    def loss(self, value: Array, baseline: Array) -> Array:
        """What was lost, 0.005 for 0.5 %; negative where the candidate is better."""
        if not self.relative:
            return value
        change = baseline - value if self.higher_is_better else value - baseline
        lost: Array = change / np.maximum(np.abs(baseline), 1e-12)
        return lost

    def floor(self, distance: float, weights: float, baseline: float) -> float:
        """The loss that is to be expected of outputs at a distance from fp32, from sums."""
        if self.distance is None:
            return 0.0
        return distance / max(weights, 1e-300) / max(abs(baseline), 1e-12)


def _mse(output: Array, fp32: Array, target: Array | None) -> tuple[float, float]:
    del fp32
    assert target is not None
    wide = output.astype(np.float64) - target.reshape(output.shape)
    return float(np.sum(wide**2)), float(output.size)


def _accuracy(output: Array, fp32: Array, target: Array | None) -> tuple[float, float]:
    del fp32
    assert target is not None
    hits = output.argmax(-1).reshape(-1) == target.reshape(-1)
    return float(hits.sum()), float(hits.size)


def _cross_entropy(output: Array, fp32: Array, target: Array | None) -> tuple[float, float]:
    del fp32
    assert target is not None
    logs = log_softmax(output).reshape(-1, output.shape[-1])
    flat = target.reshape(-1).astype(np.int64)
    return float(-logs[np.arange(len(flat)), flat].sum()), float(len(flat))


def _kl(output: Array, fp32: Array, target: Array | None) -> tuple[float, float]:
    """KL divergence from the fp32 model's distribution to the candidate's, in nats per row."""
    del target
    one, other = log_softmax(fp32), log_softmax(output)
    rows = (np.exp(one) * (one - other)).sum(-1)
    return float(rows.sum()), float(rows.size)


def _rms(output: Array, fp32: Array, target: Array | None) -> tuple[float, float]:
    del target
    wide = fp32.astype(np.float64)
    return float(np.sum((output - wide) ** 2)), float(np.sum(wide**2))


def _squares(output: Array, fp32: Array) -> float:
    """E (y + d - t)^2 = E (y - t)^2 + d^2 where the change d is independent of the residual."""
    return _rms(output, fp32, None)[0]


def _nats(output: Array, fp32: Array) -> float:
    """Targets drawn from fp32's distribution cost the candidate the KL divergence more."""
    return _kl(output, fp32, None)[0]


def _lost_hits(output: Array, fp32: Array) -> float:
    """Of targets drawn from fp32's distribution the candidate meets fewer where its choice differs.

    A flip between two classes that fp32 finds equally likely is free.
    """
    believed = np.exp(log_softmax(fp32)).reshape(-1, fp32.shape[-1])
    chosen = output.reshape(believed.shape).argmax(-1)
    return float((believed.max(-1) - believed[np.arange(len(chosen)), chosen]).sum())


def log_softmax(logits: Array) -> Array:
    """Logarithm of the softmax over the last axis, float64."""
    wide = logits.astype(np.float64)
    wide = wide - wide.max(-1, keepdims=True)
    found: Array = wide - np.log(np.exp(wide).sum(-1, keepdims=True))
    return found


METRICS = {
    metric.name: metric
    for metric in (
        Metric("mse", "mean squared error", _mse, relative=True, needs_target=True,
               distance=_squares),
        Metric("accuracy", "share of right answers", _accuracy, relative=True,
               higher_is_better=True, needs_target=True, distance=_lost_hits),
        Metric("cross-entropy", "nats", _cross_entropy, relative=True, needs_target=True,
               distance=_nats),
        Metric("kl", "nats from fp32", _kl),
        Metric("rms", "relative RMS error against fp32", _rms, root=True),
    )
}  # fmt: skip
"""Metrics by name. The SQNR in dB is -20 log10 of `rms`."""


def metrics_of(
    name: str, outputs: Mapping[str, tuple[int, ...]], targets: Mapping[str, Array]
) -> dict[str, Metric]:
    """The metric of every output that is judged.

    Args:
        name: "auto" or one of `METRICS`. "auto" takes for outputs with targets: mse where the
            target is a float; where it is a number of a class, accuracy if a sample has one answer,
            else cross-entropy. Without targets: rms, for every float output.
        outputs: shapes of the float outputs.
        targets: arrays with a sample axis by output.

    Raises:
        OptionError: there is no such metric, or it needs targets that are not given.
        InputError: a target does not fit its output.
    """
    if name not in ("auto", *METRICS):
        raise OptionError(f"--metric {name}: there are auto, {', '.join(METRICS)}")
    if name != "auto" and METRICS[name].needs_target and not targets:
        raise OptionError(
            f"--metric {name} needs what the outputs should be; add arrays target:NAME to the "
            f"calibration data, for outputs {', '.join(outputs)}"
        )
    judged = targets if targets else outputs
    found = {}
    for output in judged:
        if output not in outputs:
            raise InputError(f"target:{output}: the output is no float tensor")
        target = targets.get(output)
        metric = METRICS[_automatic(outputs[output], target) if name == "auto" else name]
        if metric.needs_target and target is not None:
            _check(output, outputs[output], target, metric)
        found[output] = metric
    return found


def _automatic(shape: tuple[int, ...], target: Array | None) -> str:
    if target is None:
        return "rms"
    if target.dtype.kind == "f":
        return "mse"
    return "accuracy" if int(np.prod(shape[:-1])) == 1 else "cross-entropy"


def _check(output: str, shape: tuple[int, ...], target: Array, metric: Metric) -> None:
    size = int(np.prod(shape if metric.name == "mse" else shape[:-1]))
    each = int(np.prod(target.shape[1:]))
    if each != size:
        raise InputError(
            f"target:{output} has {each} values per sample, {metric.name} needs {size} for an "
            f"output of shape {list(shape)}"
        )
    if metric.name != "mse" and (
        target.dtype.kind not in "iub" or target.min() < 0 or target.max() >= shape[-1]
    ):
        raise InputError(
            f"target:{output} must hold numbers of classes, 0 to {shape[-1] - 1}; it has "
            f"{target.dtype} from {target.min()} to {target.max()}"
        )
