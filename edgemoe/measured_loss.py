"""What an artifact loses against onnxruntime: measured by running it, kept or refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArtifactError, BudgetError

if TYPE_CHECKING:
    from edgemoe.compression.goal import Goal
    from edgemoe.compression.judge import Judge, Verdict
    from edgemoe.narrow_caches import Narrowed

Array = NDArray[Any]

OWN_TOLERANCE = 5e-2
"""RMS of the difference, relative to that of an output, that two machines may have.

Sums of floats in another order move an activation over the border between two codes, or a token to
another expert, now and then.
"""


def measurer(
    judge: Judge | None, what: str, goal: Goal, narrowed: Narrowed, *, own: bool
) -> Callable[[Path], dict[str, Any]]:
    """A function that runs a finished artifact against onnxruntime.

    Args:
        judge: samples with what fp32 gives on them; None: only the self-test is run.
        what: what the samples are, for people.
        narrowed: caches that the artifact stores otherwise than the samples have them.
        goal: a loss that breaks its promise raises BudgetError.
        own: the artifact's self-test then expects what the artifact has computed here: rounding is
            wanted, and the test is to find machines that compute something else. How far it is
            from float32 is reported, whatever it is: in a deep mixture of random weights, rounding
            sends every token elsewhere in the end.
    """

    def measure(folder: Path) -> dict[str, Any]:
        from edgemoe.runtime.session import load

        with load(folder, verify=False, check=not own) as session:
            accuracy = _on_examples(session) if own else {}
            if judge is not None:
                verdict = judge.judge(_runs(session, narrowed))
                accuracy = described(verdict, what, goal)
                if not goal.holds(verdict):
                    raise BudgetError(_refusal(verdict, what, goal))
            if own:
                _expect_own_outputs(session, folder)
        return accuracy

    return measure


def described(verdict: Verdict, what: str, goal: Goal) -> dict[str, Any]:
    """A verdict as the manifest keeps it; `outputs` holds each loss where several are judged."""
    each = {
        name: {"metric": own.metric, "loss": own.loss, "interval": list(own.interval),
               "value": own.value, "fp32": own.baseline, "floor": own.floor}
        for name, own in verdict.losses.items()
    }  # fmt: skip
    return {
        "metric": verdict.metric, "output": verdict.output, "loss": verdict.loss,
        "interval": list(verdict.interval), "value": verdict.value, "fp32": verdict.baseline,
        "floor": verdict.floor, "relative_rms_error": dict(verdict.rms), "max_loss": goal.max_loss,
        "confident": goal.confident,
        "data": f"{verdict.samples} {what}", "baseline": "onnxruntime, float32",
        **({"outputs": each} if len(each) > 1 else {}),
    }  # fmt: skip


def by_chance(loss: float, floor: float) -> str:
    """Why a loss is not taken for what it is."""
    word = "gain" if loss < 0 else "smaller loss"
    return (
        f"counted as {floor:+.3%}: outputs this far from fp32 lose that much on average, a {word} "
        "on these samples is chance"
    )


def _runs(session: Any, narrowed: Narrowed) -> Callable[[Mapping[str, Array]], Mapping[str, Array]]:
    """Run one sample from the initial state."""
    names = [spec.name for spec in session.inputs]

    def run(feed: Mapping[str, Array]) -> Mapping[str, Array]:
        session.reset()
        given = narrowed.feed(feed)
        longer = _longer(session, given)
        if longer:
            return _token_by_token(session, given, longer)
        return narrowed.results(session.run({name: given[name] for name in names}))

    return run


def _longer(session: Any, given: Mapping[str, Array]) -> dict[str, int]:
    """Inputs of more tokens than a program with states reads in one call, with their token axes."""
    found: dict[str, int] = {}
    if not session.manifest.states:
        return found
    for spec in session.inputs:
        shape = given[spec.name].shape
        if spec.state_output is None and len(shape) == len(spec.shape):
            differs = [a for a, n in enumerate(spec.shape) if n != -1 and n != shape[a]]
            if len(differs) == 1 and spec.shape[differs[0]] == 1:
                found[spec.name] = differs[0]
    return found


def _token_by_token(
    session: Any, given: Mapping[str, Array], axes: Mapping[str, int]
) -> dict[str, Array]:
    """The outputs of all calls, one behind the other."""
    axis = next(iter(axes.values()))
    own = {s.name: given[s.name] for s in session.inputs if s.state_output is None}
    calls = []
    for place in range(min(given[name].shape[axes[name]] for name in axes)):
        one = {n: np.take(a, [place], axes[n]) if n in axes else a for n, a in own.items()}
        calls.append(session.run(one))
    return {name: np.concatenate([call[name] for call in calls], axis) for name in calls[0]}


def _refusal(verdict: Verdict, what: str, goal: Goal) -> str:
    name = max(goal.broken(verdict), key=lambda output: goal.compared(verdict.losses[output]))
    own = verdict.losses[name]
    low, high = own.interval
    figures = f"{own.metric} {own.value:.6g}, fp32 {own.baseline:.6g}"
    return (
        f"output {name!r} loses {own.loss:.3%} ({figures}; 95% interval {low:.3%} to "
        f"{high:.3%}) on {verdict.samples} {what}, --max-loss allows {goal.max_loss:.3%}"
        + (" at the upper end of the interval" if goal.confident else "")
        + (f"; {by_chance(own.loss, own.floor)}" if own.floor > own.loss else "")
        + "\n"
        "  try: --precision auto or f32, or a larger --max-loss"
    )


def _on_examples(session: Any) -> dict[str, Any]:
    """Relative RMS error per output over the inputs of the self-test.

    Raises:
        ArtifactError: an output is NaN or infinite where float32 is not.
    """
    from edgemoe.runtime.selftest import run_cases

    worst: dict[str, float] = {}
    beyond: set[str] = set()
    for result in run_cases(session):
        for item in result.comparisons:
            if item.equal:
                continue
            if not math.isfinite(item.rms_error):
                raise ArtifactError(
                    f"output '{item.output}' of '{session.manifest.name}' is not finite on the "
                    f"inputs of the self-test with {session.isa}, in float32 it is\n"
                    "  next: choose a finer --precision, or report it"
                )
            error = item.rms_error / (item.rms or 1.0)  # of integers and zeros, as it is
            worst[item.output] = max(worst.get(item.output, 0.0), error)
            if not result.holds(item):
                beyond.add(item.output)
    found = {"relative_rms_error": worst, "data": "the inputs of the self-test",
             "baseline": "onnxruntime, float32"}  # fmt: skip
    if beyond:
        found["warning"] = (
            f"{', '.join(sorted(beyond))}: as far from float32 as the outputs of another model; "
            "rounding does that where weights are random or routers decide by little\n"
            "  next: measure what it costs on real data (--calibration FILE.npz), or choose a "
            "finer --precision"
        )
    return found


def _expect_own_outputs(session: Any, folder: Path) -> None:
    from edgemoe.artifact import SelfTest, write_selftests
    from edgemoe.runtime.selftest import read_cases

    tests = []
    for case in read_cases(folder):
        session.reset()
        outputs = {name: np.empty_like(array) for name, array in case.outputs.items()}
        tests.append(
            SelfTest(case.inputs, session.run(case.inputs, out=outputs), OWN_TOLERANCE, "rms")
        )
    session.reset()
    write_selftests(folder, tests)
