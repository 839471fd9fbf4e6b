"""Searches under several budgets, side by side: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from edgemoe.compression.settings import Settings
from edgemoe.errors import BudgetError, OptionError, ToolError

Progress = Callable[[str, int, int], None]

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Budget:
    """One budget as it was written, and what it means."""

    text: str
    max_loss: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class Job:
    """All that a worker needs to search under one budget: it loads the model itself."""

    model: str
    calibration: str
    budget: Budget
    prune: str
    metric: str
    precision: str
    shapes: tuple[tuple[str, int | tuple[int, ...]], ...]
    settings: Settings
    plugins: tuple[str, ...] = ()
    only: tuple[tuple[str, str], ...] = ()  # groups and the value that samples must have


@dataclass(frozen=True)
class Point:
    """What came of one budget, or a control; `nbytes` is None where nothing keeps the budget."""

    budget: str
    nbytes: int | None
    loss: float | None
    interval: tuple[float, float] | None = None
    note: str = ""
    controls: tuple[Point, ...] = ()


def budget_of(text: str) -> Budget:
    """Read "0.5%" as a loss and "400K" or "250000" as bytes.

    Raises:
        OptionError: it is neither.
    """
    word = text.strip()
    try:
        if word.endswith("%"):
            return Budget(word, max_loss=float(word[:-1]) / 100)
        unit = _UNITS.get(word[-1:].upper())
        return Budget(word, max_bytes=int(float(word[:-1]) * unit) if unit else int(word))
    except ValueError:
        raise OptionError(
            f"--budgets {text!r}: give losses such as 0.5% and sizes such as 400K, behind commas"
        ) from None


def run(job: Job) -> Point:
    """Search under one budget."""
    from edgemoe.buckets import plan_buckets, read_samples
    from edgemoe.compression.compress import compress
    from edgemoe.compression.task import task_of
    from edgemoe.frontend import load_model
    from edgemoe.plugins import load_plugins
    from edgemoe.precision import parse_pins

    rest, pins = parse_pins(job.precision)
    plugins = load_plugins(job.plugins)
    source = load_model(job.model, dynamic=False)
    buckets = plan_buckets(source.model, None, dict(job.shapes))
    samples = read_samples(job.calibration)
    task = task_of(source, buckets, samples, job.metric, plugins, dict(job.only))
    goal = job.settings.goal(job.budget.max_loss, job.budget.max_bytes)
    try:
        found = compress(
            task, goal, settings=job.settings, precision=rest, prune=job.prune, pins=pins
        )
    except BudgetError as error:
        return Point(job.budget.text, None, None, note=str(error).splitlines()[0])
    controls = tuple(
        Point(c.name, c.nbytes, c.verdict.loss, c.verdict.interval)
        for c in found.controls if c.nbytes is not None and "weight error" not in c.name
    )  # fmt: skip
    return Point(
        job.budget.text, found.chosen.nbytes, found.verdict.loss, found.verdict.interval,
        controls=controls,
    )  # fmt: skip


def sweep(
    jobs: Sequence[Job], *, processes: int, dask: str | None = None,
    show: Progress = lambda what, done, total: None,
) -> list[Point]:  # fmt: skip
    """Run all jobs; the points come in the order of the jobs.

    Args:
        jobs: one per budget.
        processes: of this machine, when there is no cluster.
        dask: address of a scheduler; its workers need edgemoe, the model and the data.
        show: called with (what, done, total).

    Raises:
        ToolError: Dask is not installed, or does not answer.
    """
    pool = _dask(dask) if dask is not None else _processes(min(processes, len(jobs)))
    points: dict[int, Point] = {}
    with pool:
        waiting = {pool.submit(run, job): number for number, job in enumerate(jobs)}
        show("budgets", 0, len(jobs))
        for done in as_completed(waiting):
            points[waiting[done]] = done.result()
            show("budgets", len(points), len(jobs))
    return [points[number] for number in range(len(jobs))]


def _processes(count: int) -> Executor:
    # A fresh interpreter: threads of onnxruntime and TVM do not survive a fork.
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def _dask(address: str) -> Executor:
    try:
        from distributed import Client
    except ImportError as error:
        raise ToolError(
            "--dask needs the package distributed; install it with pip install 'edgemoe[dask]'"
        ) from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise ToolError(f"--dask {address}: no scheduler answers there ({error})") from error
    executor: Executor = client.get_executor()
    return executor


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in bytes and loss at once, smallest first."""
    met = sorted(
        (p for p in points if p.nbytes is not None and p.loss is not None),
        key=lambda p: (p.nbytes, p.loss),
    )
    best: list[Point] = []
    for point in met:
        if not best or point.loss < best[-1].loss:  # type: ignore[operator]
            best.append(point)
    return best
