"""`Tunings`: what a compilation knows about the processors that it compiles for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgemoe.errors import TuningError
from edgemoe.plan import Decision
from edgemoe.runtime.package import cache_folder
from edgemoe.targets.kernels.tuning import DEFAULT, Tuned
from edgemoe.targets.spec import Isa, TargetSpec, dots_of
from edgemoe.targets.tuning.machine import TunedMachine, this_machine
from edgemoe.targets.tuning.results import EMULATOR, Result, Results, read
from edgemoe.targets.tuning.shape_class import KernelKind, ShapeClass, class_of
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class Tunings:
    """The results that kernels of `isas` are cut by; none: all have their defaults."""

    isas: tuple[Isa, ...] = ()
    results: Results | None = None
    choice: str = "defaults"
    reason: str = "no tuning was asked for"

    def find(
        self, kernel: KernelKind, given: WeightFormat, rows: int, depth: int, columns: int
    ) -> tuple[Tuned, str]:
        """The tuning of a product, and a text for the reason of its step ("" for defaults)."""
        if self.results is None:
            return Tuned(), ""
        shape = class_of(kernel, given, rows, depth, columns)
        pairs, texts = [], []
        for isa in self.isas:
            if isa.owner(dots_of(given)) != isa:
                continue  # it has the kernels of its base
            found = self._nearest(isa, shape, given)
            if found is None:
                continue
            tuning = found.tuning
            if kernel == "experts":  # which has no blocks of rows
                tuning = replace(tuning, row_block=DEFAULT.row_block)
            if tuning != DEFAULT:
                pairs.append((isa.name, tuning))
                texts.append(f"{isa.name}: {tuning} (measured for {found.shape})")
        return Tuned(tuple(pairs)), "".join(f"; tuned for {text}" for text in texts)

    def _nearest(self, isa: Isa, shape: ShapeClass, given: WeightFormat) -> Result | None:
        """The result of the nearest class; kernels without dot products are those of the base."""
        assert self.results is not None
        names = [isa.name] if dots_of(given) else [isa.name, isa.name.split("+")[0]]
        for name in names:
            near = [
                (distance, number, result)
                for number, result in enumerate(self.results.by_isa.get(name, ()))
                if (distance := shape.distance(result.shape)) is not None
            ]
            if near:
                return min(near)[2]
        return None

    def decision(self) -> Decision:
        """For the plan."""
        return Decision("tuning", self.choice, self.reason)


UNTUNED = Tunings()


def user_file(spec: TargetSpec, machine: TunedMachine) -> Path:
    """Where `edgemoe tune` keeps what it measured on `machine`."""
    return cache_folder() / "tuning" / _name(spec, machine)


def shipped_file(spec: TargetSpec, machine: TunedMachine) -> Path:
    """Where the results for a processor lie that ship."""
    return Path(__file__).parent / _name(spec, machine)


def _name(spec: TargetSpec, machine: TunedMachine) -> str:
    return f"{spec.name}-{machine.slug}.json"


def choose(spec: TargetSpec, tuning: str | Path, *, native: bool) -> Tunings:
    """Read what `--tuning` asks for: "none", a file, or "auto".

    "auto" takes results for this machine when code is made for it alone (`--cpu native`): the
    user's own, else those that ship. Otherwise the defaults are taken, which suit all.

    Raises:
        TuningError: the file cannot be used.
    """
    if str(tuning) == "none":
        return UNTUNED
    if str(tuning) != "auto":
        return _of(spec, Path(tuning), read(Path(tuning), spec))
    if not native:
        return Tunings(reason="the artifact is not for one processor alone (--cpu native)")
    machine = this_machine(spec)
    passed_over = ""
    for path in (user_file(spec, machine), shipped_file(spec, machine)):
        if not path.is_file():
            continue
        results = read(path, spec)
        if results.machine.cpu == machine.cpu:
            return _of(spec, path, results)
        passed_over = f"; {path.name} was measured on another processor, {results.machine.cpu}"
    return Tunings(
        reason=f"nothing is known of {machine.cpu}{passed_over}; `edgemoe tune {spec.name}` "
        "measures it"
    )


def _of(spec: TargetSpec, path: Path, results: Results) -> Tunings:
    if results.runner == EMULATOR:
        raise TuningError(
            f"tuning {path} was measured in an emulator, whose times mean nothing; measure on the "
            f"device: `edgemoe tune {spec.name} --runner ssh:USER@HOST`"
        )
    count = sum(r.tuning != DEFAULT for found in results.by_isa.values() for r in found)
    total = sum(map(len, results.by_isa.values()))
    return Tunings(
        spec.isas, results, path.name,
        f"measured on {results.machine.cpu}, {results.date}: {count} of {total} classes of shapes "
        "are better with other numbers than the defaults",
    )  # fmt: skip
