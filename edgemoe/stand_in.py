"""What an artifact computes that this machine cannot run: a copy of it for this machine says.

Rounded weights make a program whose outputs float32 does not foretell: in a deep mixture rounding
sends tokens to other experts. The same lowered program, with the same packed weights, is compiled
once more for an instruction set that is here. What it computes is what the artifact must give, and
how far that is from float32 is measured as for an artifact that runs here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgemoe.artifact import Artifact, SelfTest
from edgemoe.artifact_writer import Contents
from edgemoe.errors import ToolError

if TYPE_CHECKING:
    from edgemoe.targets.spec import TargetSpec

Measure = Callable[[Path], Mapping[str, Any]]


@dataclass(frozen=True)
class Tested:
    """What an artifact is written with: self-tests, accuracy figures, and what measures it."""

    selftests: Sequence[SelfTest]
    accuracy: dict[str, Any]
    measure: Measure | None


def tested(
    spec: TargetSpec, given: Contents, unmeasured: dict[str, Any],
    write: Callable[[TargetSpec, Path, Contents], Artifact], *, runs_here: bool, rounds: bool,
) -> Tested:  # fmt: skip
    """Self-tests of an artifact for `spec`, with its own outputs where they can be known.

    Args:
        spec: the target.
        given: self-tests that expect float32, and what measures an artifact that runs here.
        unmeasured: accuracy figures where nothing is measured.
        write: writes the artifact for another target.
        runs_here: the artifact runs on this machine.
        rounds: weights or activations are rounded, so that float32 is not what it computes.
    """
    if runs_here:
        return Tested(given.selftests, unmeasured, given.measure)
    own = _of_this_machine() if rounds and spec.family == "cpu" else None
    if own is None:
        return Tested(given.selftests, unmeasured, None)
    with tempfile.TemporaryDirectory(prefix="edgemoe-") as folder:
        try:
            copy = write(own, Path(folder) / "copy.em", given)
        except ToolError:  # no C compiler for this machine: there is one for the target
            return Tested(given.selftests, unmeasured, None)
        return Tested(_selftests_of(copy), _accuracy_of(copy, own, spec), None)


def _of_this_machine() -> TargetSpec | None:
    """A target that runs here, with the least of its instruction sets; None where there is none."""
    from edgemoe.targets import catalogue, cpu

    for spec in catalogue():
        if spec.family == "cpu" and cpu.runs_here(spec):
            found = cpu.isas_here(spec)
            return cpu.with_isas(spec, found[0].name) if found else None
    return None


def _selftests_of(copy: Artifact) -> list[SelfTest]:
    from edgemoe.runtime.selftest import read_cases

    cases = read_cases(copy.path)
    return [SelfTest(c.inputs, c.outputs, c.tolerance, c.statistic) for c in cases]


def _accuracy_of(copy: Artifact, own: TargetSpec, spec: TargetSpec) -> dict[str, Any]:
    """The figures of the copy; they say where they come from."""
    found = dict(copy.manifest["accuracy"])
    found["data"] = f"{found['data']}, by a copy for {own.isas[0].name}, as {spec.name} is not here"
    return found
