"""How long products take in each weight format, measured on the device: a cost for searches."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgemoe.targets.kernels.tuning import DEFAULT
from edgemoe.targets.spec import TargetSpec
from edgemoe.targets.tuning.problem import Problem
from edgemoe.targets.tuning.runners import Runner
from edgemoe.targets.tuning.search import times_of

Progress = Callable[[str, int, int], None]

ROUNDS = 5


def product_times(
    spec: TargetSpec, problems: Sequence[Problem], runner: Runner,
    show: Progress = lambda what, done, total: None,
) -> dict[Problem, float]:  # fmt: skip
    """Seconds of each problem, by the best instruction set of the machine of `runner`.

    Each problem is timed on copies of its weights in turn, so that they come from memory where a
    whole model would not fit into a cache.

    Raises:
        ToolError: the compiler or the runner failed.
    """
    wanted = list(dict.fromkeys(problems))
    with tempfile.TemporaryDirectory(prefix="edgemoe-costs-") as folder:
        try:
            found = times_of(spec, wanted, runner, Path(folder) / "costs", DEFAULT, ROUNDS, show)
        finally:
            runner.close()
    return {problem: 1e-9 * nanoseconds for problem, nanoseconds in found.items()}
