"""The artifact's own test: inputs with expected outputs in `selftest.npz`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.array_files import UNREADABLE
from edgemoe.runtime.errors import ArtifactError

if TYPE_CHECKING:
    from edgemoe.runtime.session import Session

Array = NDArray[Any]

Statistic = Literal["max", "rms"]
"""What of the difference between two outputs a tolerance bounds."""

SELFTEST = "selftest.npz"


@dataclass(frozen=True)
class Case:
    """One set of inputs; `tolerance` is relative to the RMS of each expected float output."""

    inputs: dict[str, Array]
    outputs: dict[str, Array]
    tolerance: float
    statistic: Statistic = "max"


@dataclass(frozen=True)
class Comparison:
    """How far an output is from the expected one, in the output's own unit.

    `sqnr_db` is 10 log10(sum expected^2 / sum error^2), infinite for equal arrays.
    """

    output: str
    max_error: float
    rms_error: float
    rms: float
    sqnr_db: float
    equal: bool

    def error(self, statistic: Statistic) -> float:
        """The largest error, or the root mean square of all."""
        return self.max_error if statistic == "max" else self.rms_error


@dataclass(frozen=True)
class CaseResult:
    """One case of the self-test after it ran."""

    case: int
    tolerance: float
    statistic: Statistic
    comparisons: tuple[Comparison, ...]

    def holds(self, item: Comparison) -> bool:
        """Tell whether the error of an output stays within `tolerance` times its RMS."""
        return item.equal or item.error(self.statistic) <= self.tolerance * item.rms

    @property
    def passed(self) -> bool:
        """All outputs are within the tolerance."""
        return all(map(self.holds, self.comparisons))


def compare(output: str, expected: Array, got: Array) -> Comparison:
    """Compare two arrays of one shape; NaN in the same places is equal."""
    if expected.dtype.kind not in "fc":
        equal = bool(np.array_equal(expected, got))
        distance = np.abs(expected.astype(np.float64) - got.astype(np.float64))
        largest = float(distance.max(initial=0.0))
        return Comparison(output, largest, largest, 0.0, math.inf if equal else 0.0, equal)
    wanted, given = expected.astype(np.float64), got.astype(np.float64)
    error = np.where(np.isnan(wanted) & np.isnan(given), 0.0, given - wanted)
    error = np.where(wanted == given, 0.0, error)  # infinities of one sign
    signal = float(np.mean(np.square(wanted[np.isfinite(wanted)]))) if wanted.size else 0.0
    noise = float(np.mean(np.square(error))) if error.size else 0.0
    largest = float(np.max(np.abs(error), initial=0.0))
    if math.isnan(noise):
        return Comparison(output, math.inf, math.inf, math.sqrt(signal), -math.inf, False)
    ratio = math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal else -math.inf
    return Comparison(
        output, largest, math.sqrt(noise), math.sqrt(signal), ratio, bool(not error.any())
    )


def read_cases(folder: Path) -> list[Case]:
    """Read `selftest.npz`; an empty list when the artifact has none."""
    path = folder / SELFTEST
    if not path.is_file():
        return []
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        cases: dict[int, Case] = {}
        for name, array in arrays.items():
            number, kind, *rest = name.split("/", 2)
            statistic: Statistic = "rms" if arrays.get(f"{number}/statistic") == "rms" else "max"
            limit = float(arrays[f"{number}/tolerance"])
            case = cases.setdefault(int(number), Case({}, {}, limit, statistic))
            if kind not in ("tolerance", "statistic"):
                (case.inputs if kind == "input" else case.outputs)[rest[0]] = array
    except (*UNREADABLE, KeyError, IndexError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); compile the model again") from error
    return [cases[number] for number in sorted(cases)]


def run_cases(session: Session) -> list[CaseResult]:
    """Run all cases of the session's artifact; its states are reset before and after each."""
    results = []
    for number, case in enumerate(read_cases(session.path)):
        session.reset()
        got = session.run(case.inputs, out={k: np.empty_like(v) for k, v in case.outputs.items()})
        comparisons = tuple(compare(name, case.outputs[name], got[name]) for name in case.outputs)
        results.append(CaseResult(number, case.tolerance, case.statistic, comparisons))
    session.reset()
    return results


def check_session(session: Session) -> None:
    """Raise ArtifactError when the self-test fails on this machine."""
    for result in run_cases(session):
        for item in result.comparisons:
            if not result.holds(item):
                kind = "by up to" if result.statistic == "max" else "by an RMS of"
                raise ArtifactError(
                    f"the self-test of '{session.manifest.name}' failed with {session.isa}: output "
                    f"'{item.output}' of case {result.case} differs {kind} "
                    f"{item.error(result.statistic):.3g} (its RMS is {item.rms:.3g}, allowed "
                    f"{result.tolerance:.3g} of it); try another "
                    "instruction set (isa=...) or device, and report it"
                )
