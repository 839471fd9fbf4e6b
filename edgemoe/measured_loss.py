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

OWN_TOLERANCE = 5e-2
"""Largest difference, relative to the RMS of an output, between two machines with int8 activations.

Sums of floats in another order move a value over the border between two codes now and then.
"""


def measurer(
    reference: Reference,
    buckets: Buckets,
    source: Source,
    samples: Mapping[str, Array],
    max_loss: float | None,
    *,
    own: bool,
) -> Callable[[Path], dict[str, Any]]:
    """A function that runs a finished artifact against onnxruntime.

    With `own` the artifact's self-test then expects what the artifact has computed here: rounding
    is wanted, and the test is to find machines that compute something else.
    """

    def measure(folder: Path) -> dict[str, Any]:
        from edgemoe.runtime.session import load

        with load(folder, verify=False, check=True) as session:
            accuracy = _on_examples(session) if own else {}
            if samples:
                accuracy = _loss(session, reference, buckets, source, samples, max_loss)
            if own:
                _expect_own_outputs(session, folder)
        return accuracy

    return measure


def _on_examples(session: Any) -> dict[str, Any]:
    """Relative RMS error per output over the inputs of the self-test."""
    from edgemoe.runtime.selftest import run_cases

    worst: dict[str, float] = {}
    for result in run_cases(session):
        for item in result.comparisons:
            if not item.equal:
                error = item.rms_error / item.rms if item.rms else float("inf")
                worst[item.output] = max(worst.get(item.output, 0.0), error)
    return {"relative_rms_error": worst, "data": "the inputs of the self-test",
            "baseline": "onnxruntime, float32"}  # fmt: skip


def _expect_own_outputs(session: Any, folder: Path) -> None:
    from edgemoe.artifact import SelfTest, write_selftests
    from edgemoe.runtime.selftest import read_cases

    tests = []
    for case in read_cases(folder):
        session.reset()
        outputs = {name: np.empty_like(array) for name, array in case.outputs.items()}
        tests.append(SelfTest(case.inputs, session.run(case.inputs, out=outputs), OWN_TOLERANCE))
    session.reset()
    write_selftests(folder, tests)


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
