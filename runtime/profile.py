"""Where the time of a run goes: per step, against what the machine can do, and per expert."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import ArtifactError, InputError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.machine import Machine, measure
from edgemoe.runtime.manifest import inside
from edgemoe.runtime.routing import RegionUse, RoutingRecorder
from edgemoe.runtime.selftest import read_cases

if TYPE_CHECKING:
    from edgemoe.runtime.session import Session

Array = NDArray[Any]

_TOO_FAST = 1.1
"""Share of the machine's peak or bandwidth above which the machine is measured again."""


@dataclass(frozen=True)
class StepTime:
    """One step of one variant; `nanoseconds` is the median over the runs of its time per run.

    `macs` and `nbytes` are the plan's worst case (all experts used), times `calls` per run.
    """

    variant: int
    step: int
    calls: int
    label: str
    kernel: str
    origin: str
    nanoseconds: float
    share: float
    macs: int
    nbytes: int
    peak_share: float
    bandwidth_share: float


@dataclass(frozen=True)
class Profile:
    """What `profile` measured."""

    name: str
    target: str
    isa: str
    device: str  # the GPU whose clock gave the times of the steps; "" for a CPU
    threads: int
    runs: int
    tokens: int | None
    run_nanoseconds: float  # median of whole runs, without hooks
    steps: tuple[StepTime, ...]
    regions: tuple[RegionUse, ...]
    machine: Machine
    memory: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def read_plan(session: Session) -> dict[str, Any]:
    """Read `plan.json` of the session's artifact as plain data."""
    path = inside(session.path, "plan.json")
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); compile again") from error
    return data


def default_inputs(session: Session) -> dict[str, Array]:
    """Return inputs to measure with: the self-test's case with the most tokens, else zeros."""
    cases = read_cases(session.path)
    if cases:
        return max(cases, key=lambda case: sum(a.size for a in case.inputs.values())).inputs
    tokens = max(session.buckets, default=1)
    return {
        spec.name: np.zeros(
            [tokens if extent < 0 else extent for extent in spec.shape], numpy_dtype(spec.dtype)
        )
        for spec in session.inputs
        if spec.state_output is None
    }


def profile(
    session: Session,
    inputs: Mapping[str, Array] | None = None,
    *,
    runs: int = 20,
    measure_again: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Profile:
    """Run `session` `runs` times with and without hooks, always from fresh states.

    Args:
        session: an opened artifact; its number of threads is used.
        inputs: as for `Session.run`; None takes the self-test's.
        runs: how often; medians are reported.
        measure_again: measure the machine even if it has been measured before.
        progress: called with (done, total).

    Raises:
        InputError: the inputs do not fit, or `runs` is not positive.
    """
    if runs < 1:
        raise InputError(f"{runs} runs were asked for; give at least 1")
    plan = read_plan(session)
    inputs = default_inputs(session) if inputs is None else inputs
    recorder = RoutingRecorder(plan)
    session.reset()
    session.run_hooked(inputs, recorder)
    times: list[dict[tuple[int, int], int]] = []
    calls: Counter[tuple[int, int]] = Counter()
    whole = []
    for number in range(runs):
        session.reset()
        steps = session.run_timed(inputs)
        calls = Counter((variant, step) for variant, step, _ in steps)
        times.append(dict.fromkeys(calls, 0))
        for variant, step, nanoseconds in steps:
            times[-1][variant, step] += nanoseconds
        session.reset()
        start = time.perf_counter_ns()
        session.run(inputs)
        whole.append(time.perf_counter_ns() - start)
        if progress is not None:
            progress(number + 1, runs)
    session.reset()
    machine = measure(session, again=measure_again)
    medians = {key: statistics.median(t[key] for t in times) for key in calls}
    rows = _steps(plan, medians, calls, machine)
    if not machine.is_fresh() and any(_is_above(row) for row in rows):
        machine = measure(session, again=True)
        rows = _steps(plan, medians, calls, machine)
    return Profile(
        name=session.manifest.name,
        target=session.manifest.target,
        isa=session.isa,
        device=getattr(session, "device", ""),
        threads=session.threads,
        runs=runs,
        tokens=_tokens(session, inputs),
        run_nanoseconds=statistics.median(whole),
        steps=tuple(rows),
        regions=tuple(recorder.uses()),
        machine=machine,
        memory={
            "arena_bytes": session.arena_bytes,
            "state_bytes": session.state_bytes,
            "weights_bytes": plan["weights_bytes"],
            "lower_bound_bytes": max(v["lower_bound_bytes"] for v in plan["variants"]),
        },
    )


def _is_above(row: StepTime) -> bool:
    """Tell whether a step was faster than the machine: it was measured while it was busy.

    Bytes may also come from caches, which costs one more measurement and harms nothing.
    """
    return max(row.peak_share, row.bandwidth_share) > _TOO_FAST


def _tokens(session: Session, inputs: Mapping[str, Array]) -> int | None:
    for spec in session.inputs:
        if spec.token_axis is not None:
            return int(inputs[spec.name].shape[spec.token_axis])
    return None


def _steps(
    plan: Mapping[str, Any],
    medians: Mapping[tuple[int, int], float],
    calls: Mapping[tuple[int, int], int],
    machine: Machine,
) -> list[StepTime]:
    total = sum(medians.values()) or 1.0
    rows = []
    for (variant, number), nanoseconds in sorted(medians.items()):
        step = plan["variants"][variant]["steps"][number]
        count = calls[variant, number]
        macs, nbytes = step["macs"] * count, step["nbytes"] * count
        spent = max(nanoseconds, 1.0)  # 1 operation per ns is 1 GFLOP/s
        rows.append(
            StepTime(
                variant, number, count, step["label"], step["kernel"], step["origin"],
                nanoseconds, nanoseconds / total, macs, nbytes,
                _ratio(2 * macs / spent, machine.gflops),
                _ratio(nbytes / spent, machine.read_gbps),
            )
        )  # fmt: skip
    return rows


def _ratio(value: float, of: float) -> float:
    return value / of if of > 0 else 0.0
