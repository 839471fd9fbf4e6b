"""What an artifact loses against onnxruntime: measured on calibration data, kept or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.buckets import Buckets, feed_for
from edgemoe.errors import BudgetError, InputError
from edgemoe.frontend import Source
from edgemoe.reference import Reference

Array = NDArray[Any]


def measurer(
    reference: Reference,
    buckets: Buckets,
    source: Source,
    samples: Mapping[str, Array],
    max_loss: float | None,
) -> Callable[[Path], dict[str, Any]]:
    """A function that runs a finished artifact against onnxruntime."""

    def measure(folder: Path) -> dict[str, Any]:
        from edgemoe.runtime.session import load

        with load(folder, verify=False, check=True) as session:
            if not samples:
                return {}
            return _loss(session, reference, buckets, source, samples, max_loss)

    return measure


def _loss(
    session: Any,
    reference: Reference,
    buckets: Buckets,
    source: Source,
    samples: Mapping[str, Array],
    max_loss: float | None,
) -> dict[str, Any]:
    """Relative RMS error per output over the calibration samples."""
    squares: dict[str, list[float]] = {}
    used = 0
    for count in buckets.counts:
        feed = feed_for(buckets.bind(count), source.examples, source.states)
        for sample in samples_that_fit(samples, feed):
            used += 1
            wanted, got = reference.run(sample, count), session.run(sample)
            for name, array in wanted.items():
                if array.dtype.kind == "f":
                    sums = squares.setdefault(name, [0.0, 0.0])
                    sums[0] += float(np.sum((got[name].astype(np.float64) - array) ** 2))
                    sums[1] += float(np.sum(array.astype(np.float64) ** 2))
    if not used:
        shapes = {name: a.shape[1:] for name, a in samples.items()}
        raise InputError(
            f"no calibration sample fits the model: arrays {shapes} after the sample axis, the "
            f"model has {[(str(v.name), list(v.shape or ())) for v in source.model.graph.inputs]}"
        )
    errors = {name: float(np.sqrt(a / b)) if b else 0.0 for name, (a, b) in squares.items()}
    worst = max(errors, key=lambda n: errors[n])
    if max_loss is not None and errors[worst] > max_loss:
        raise BudgetError(
            f"output {worst!r} is off by {errors[worst]:.3%} relative RMS on the calibration data, "
            f"--max-loss allows {max_loss:.3%}\n  try: --precision f32, or a larger --max-loss"
        )
    return {"relative_rms_error": errors, "data": f"{used} calibration samples",
            "baseline": "onnxruntime, float32"}  # fmt: skip


def samples_that_fit(
    samples: Mapping[str, Array], feed: Mapping[str, Array]
) -> list[dict[str, Array]]:
    """Calibration samples as feeds, those whose shapes fit this variant."""
    names = [name for name in samples if name in feed]
    if not names:
        return []
    fitting = []
    for number in range(len(samples[names[0]])):
        sample = {name: samples[name][number] for name in names}
        if all(
            sample[name].shape == feed[name].shape and sample[name].dtype == feed[name].dtype
            for name in names
        ):
            fitting.append({**feed, **sample})
    return fitting
