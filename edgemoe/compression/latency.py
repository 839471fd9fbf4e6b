"""What a format costs in time: every product of the model, timed on the target.

The time of a unit is that of its product alone, with the rows that one call has: rounding of
activations, epilogues and threads are left out. It ranks formats; `edgemoe profile` tells the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgemoe.precision import Unit
from edgemoe.weight_format import WeightFormat

if TYPE_CHECKING:
    from edgemoe.targets.spec import TargetSpec
    from edgemoe.targets.tuning.problem import Problem
    from edgemoe.targets.tuning.runners import Runner

Progress = Callable[[str, int, int], None]

WIDEN_SECONDS = 1e-10
"""Per constant that is widened from 16 bits: 6 bytes at some 60 GB/s of a cache."""


@dataclass(frozen=True)
class Latency:
    """Seconds of a unit in a format; `times` are measured."""

    times: Mapping[Problem, float]

    def __call__(self, unit: Unit, given: WeightFormat) -> float:
        """Seconds of one call."""
        if unit.role == "constant":
            return WIDEN_SECONDS * unit.depth if given.bits < 32 else 0.0
        problem = problem_of(unit, given)
        share = active_experts(unit) / problem.groups if unit.experts else 1.0
        return self.times[problem] * share


def active_experts(unit: Unit) -> int:
    """How many experts one call uses at most."""
    return min(unit.experts, _rows(unit))


def _rows(unit: Unit) -> int:
    return max(1, unit.macs // max(1, unit.depth * unit.columns))


def problem_of(unit: Unit, given: WeightFormat) -> Problem:
    """The product of a unit as the timing program knows it."""
    from edgemoe.targets.tuning.problem import Problem

    given = given.for_depth(unit.depth)
    rows = _rows(unit)
    if unit.experts:
        rows = -(-rows // active_experts(unit))
        return Problem("experts", given, rows, unit.depth, unit.columns)
    return Problem("linear", given, rows, unit.depth, unit.columns)


def measured(
    units: Sequence[Unit],
    choices: Sequence[Sequence[WeightFormat]],
    spec: TargetSpec,
    runner: Runner,
    show: Progress,
) -> Latency:
    """Time every product of a model in every format that it may have.

    Raises:
        ToolError: the compiler or the runner failed.
    """
    from edgemoe.targets.tuning.costs import product_times

    problems = [
        problem_of(unit, given)
        for unit, formats in zip(units, choices, strict=True) if unit.role != "constant"
        for given in formats
    ]  # fmt: skip
    return Latency(product_times(spec, problems, runner, show))
