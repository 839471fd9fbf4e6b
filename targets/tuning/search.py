"""The search: every number of a tuning alone, the best of each together, and a fair last round.

A candidate whose bits differ from the default's is a fault of the compiler, not a slow kernel.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from edgemoe.errors import CheckError, OptionError, ToolError
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.spec import Isa, TargetSpec, dots_of
from edgemoe.targets.tuning.candidates import alone, together
from edgemoe.targets.tuning.machine import TunedMachine, machine_of
from edgemoe.targets.tuning.problem import Problem
from edgemoe.targets.tuning.results import EMULATOR, Result, Results
from edgemoe.targets.tuning.runners import Runner
from edgemoe.targets.tuning.timing_program import Case, build

WORTH = 0.97
"""Share of the default's time that a tuning must stay below: each costs code."""

PROMISING = 0.99
"""Share of the default's time below which a number is tried together with others."""

WINS = 0.75
"""Share of the last rounds in which it must beat the default: chance alone does so in 2 of 1000."""

ROUNDS, LAST_ROUNDS, MICROSECONDS = 7, 31, 2000

Progress = Callable[[str, int, int], None]


@dataclass
class _Job:
    """One problem for one instruction set, with what has been measured so far (nanoseconds)."""

    problem: Problem
    isa: Isa
    times: dict[Tuning, float] = field(default_factory=dict)
    wins: dict[Tuning, float] = field(default_factory=dict)  # share of the rounds

    def best(self) -> Tuning:
        return min(self.times, key=self.times.__getitem__)

    def __str__(self) -> str:
        return f"{self.problem}, {self.isa.name}"


def tune(
    spec: TargetSpec, problems: Sequence[Problem], runner: Runner, *, budget: float = 100.0,
    show: Progress = lambda what, done, total: None,
) -> tuple[Results, int]:  # fmt: skip
    """Measure candidates for all problems on the machine of `runner`.

    Problems whose turn has not come after `budget` seconds are left out.

    Returns the results, and how many problems were left out.

    Raises:
        ToolError: the compiler or the runner failed.
        CheckError: two tunings of a kernel gave different bits.
    """
    end = time.monotonic() + budget
    with tempfile.TemporaryDirectory(prefix="edgemoe-tune-") as folder:
        program = Path(folder) / "tune"
        try:
            show("what the machine is", 0, 0)
            search = _Search(spec, runner, program, end, show)
            machine, jobs = search.jobs(problems)
            wanted, total = len(jobs), 3 * len(jobs)
            jobs = search.measure(
                jobs,
                lambda job: [
                    DEFAULT, *(t for found in alone(job.problem, job.isa).values() for t in found)
                ],
                ROUNDS, "each number alone", 0, total, in_time=True,
            )  # fmt: skip
            search.measure(
                [job for job in jobs if len(_promising(job)) > 1],
                lambda job: [DEFAULT, *together(_promising(job))],
                ROUNDS, "the best together", len(jobs), total,
            )  # fmt: skip
            rivals = [job for job in jobs if job.best() != DEFAULT]
            bests = {id(job): job.best() for job in rivals}
            search.measure(
                rivals, lambda job: [DEFAULT, bests[id(job)]],
                LAST_ROUNDS, "the winner against the default", 2 * len(jobs), total,
            )  # fmt: skip
        finally:
            runner.close()
    by_isa: dict[str, tuple[Result, ...]] = {}
    for job in jobs:
        tuning = bests.get(id(job), DEFAULT)
        if job.times[tuning] > WORTH * job.times[DEFAULT] or job.wins[tuning] < WINS:
            tuning = DEFAULT
        result = Result(
            job.problem.shape, tuning, job.times[tuning] / 1000, job.times[DEFAULT] / 1000
        )
        by_isa[job.isa.name] = (*by_isa.get(job.isa.name, ()), result)
    versions = {name: version(name) for name in ("edgemoe", "apache-tvm")}
    today = time.strftime("%Y-%m-%d", time.gmtime())
    results = Results(spec.name, machine, runner.name, today, versions, by_isa)
    return results, wanted - len(jobs)


def _promising(job: _Job) -> dict[str, Tuning]:
    """The best value of every number that is better than the default's."""
    found = {}
    for axis, tunings in alone(job.problem, job.isa).items():
        best = min(tunings, key=job.times.__getitem__, default=DEFAULT)
        if job.times[best] < PROMISING * job.times[DEFAULT]:
            found[axis] = best
    return found


class _Timing(NamedTuple):
    """A line of the timing program."""

    nanoseconds: float
    wins: int
    bits: str


@dataclass
class _Search:
    spec: TargetSpec
    runner: Runner
    program: Path
    end: float
    show: Progress

    def jobs(self, problems: Sequence[Problem]) -> tuple[TunedMachine, list[_Job]]:
        """Ask the machine what it is, and give every problem to each of its instruction sets."""
        self._build([Case(problems[0], DEFAULT, self.spec.isas[0])])
        machine = machine_of(self.runner.run("machine"), self.spec)
        # The kernel of an emulated machine tells of the one below it.
        isas = self.spec.isas if self.runner.name == EMULATOR else machine.isas(self.spec)
        if not isas:
            names = ", ".join(isa.name for isa in self.spec.isas)
            raise OptionError(f"{machine.cpu} runs no instruction set of {self.spec.name}: {names}")
        return machine, [
            _Job(problem, isa)
            for isa in isas
            for problem in dict.fromkeys(problems)
            if isa.owner(dots_of(problem.given)) == isa
        ]

    def measure(
        self, jobs: Sequence[_Job], candidates: Callable[[_Job], Sequence[Tuning]], rounds: int,
        what: str, done: int, total: int, in_time: bool = False,
    ) -> list[_Job]:  # fmt: skip
        """Build the candidates of all jobs as one program, and time them job by job.

        Returns the jobs that were measured: all, or those that were begun `in_time`.
        """
        if not jobs:
            return []
        cases = [Case(j.problem, t, j.isa) for j in jobs for t in dict.fromkeys(candidates(j))]
        self.show(f"compiling: {what}", done, total)
        self._build(cases)
        for number, job in enumerate(jobs):
            self.show(f"{what}: {job}", done + number, total)
            mine = [i for i, c in enumerate(cases) if (c.problem, c.isa) == (job.problem, job.isa)]
            if in_time and number and time.monotonic() > self.end:
                return list(jobs[:number])
            seen = self._times(mine, rounds)
            expected = seen[mine[0]].bits
            for i in mine:
                nanoseconds, wins, bits = seen[i]
                if bits != expected:
                    raise CheckError(
                        f"{job}: the kernel with {cases[i].tuning} gives other bits than the "
                        "default; this is a fault of the compiler, please report it"
                    )
                job.times[cases[i].tuning] = nanoseconds
                job.wins[cases[i].tuning] = wins / rounds
        return list(jobs)

    def _build(self, cases: Sequence[Case]) -> None:
        build(cases, self.spec, self.program, link=self.runner.link)
        self.runner.place(self.program)

    def _times(self, cases: Sequence[int], rounds: int) -> dict[int, _Timing]:
        text = self.runner.run(str(rounds), str(MICROSECONDS), *map(str, cases))
        try:
            lines = [line.split() for line in text.splitlines()]
            found = {
                int(case): _Timing(float(ns), int(wins), bits) for case, ns, wins, bits in lines
            }
        except ValueError as error:
            raise ToolError(f"the timing program printed {text[-200:]!r}") from error
        if set(found) != set(cases):
            raise ToolError(f"the timing program printed times of {len(found)} of {len(cases)}")
        return found


def times_of(
    spec: TargetSpec, problems: Sequence[Problem], runner: Runner, program: Path, tuning: Tuning,
    rounds: int, show: Progress,
) -> dict[Problem, float]:  # fmt: skip
    """Nanoseconds of each problem with one tuning, by the best instruction set of the machine."""
    search = _Search(spec, runner, program, time.monotonic(), show)
    _, jobs = search.jobs(problems)
    search.measure(jobs, lambda job: [tuning], rounds, "products", 0, len(jobs))
    found: dict[Problem, float] = {}
    for job in jobs:  # the best instruction set comes last; what it shares with its base, earlier
        found[job.problem] = job.times[tuning]
    return found
