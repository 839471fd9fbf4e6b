"""The file of a tuning: readable JSON, checked when it is read, written in one step.

{"format": 1, "target": ..., "runner": ..., "machine": {...}, "date": ..., "versions": {...},
 "results": {ISA: [{"class": {...}, "tuning": {...}, "microseconds": ...,
                    "default_microseconds": ...}]}}

A class whose default won has an empty "tuning": that is a result too.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgemoe.errors import TuningError
from edgemoe.targets.kernels.panels import PANEL
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.spec import TargetSpec
from edgemoe.targets.tuning.machine import TunedMachine
from edgemoe.targets.tuning.shape_class import ROW_BUCKETS, ShapeClass

FORMAT = 1

EMULATOR = "emulator"
"""The runner whose times mean nothing."""

_KEYS = {"format", "target", "runner", "machine", "date", "versions", "results"}


@dataclass(frozen=True)
class Result:
    """What was measured for one class: the better tuning with its time, and the default's."""

    shape: ShapeClass
    tuning: Tuning
    microseconds: float
    default_microseconds: float


@dataclass(frozen=True)
class Results:
    """All results of one machine, by instruction set."""

    target: str
    machine: TunedMachine
    runner: str
    date: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    by_isa: dict[str, tuple[Result, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the file."""
        machine = {**asdict(self.machine), "flags": " ".join(self.machine.flags)}
        results = {isa: [_entry(r) for r in found] for isa, found in self.by_isa.items()}
        head = {
            "format": FORMAT, "target": self.target, "runner": self.runner, "machine": machine,
            "date": self.date, "versions": self.versions,
        }  # fmt: skip
        text = json.dumps({**head, "results": {isa: [] for isa in results}}, indent=1)
        for isa, entries in results.items():  # one line per class
            lines = ",\n".join(f"   {json.dumps(entry)}" for entry in entries)
            name = json.dumps(isa)
            text = text.replace(
                f"{name}: []", f"{name}: [\n{lines}\n  ]" if lines else f"{name}: []"
            )
        return text + "\n"


def _entry(result: Result) -> dict[str, Any]:
    return {
        "class": asdict(result.shape), "tuning": result.tuning.changes(),
        "microseconds": round(result.microseconds, 3),
        "default_microseconds": round(result.default_microseconds, 3),
    }  # fmt: skip


def write(results: Results, path: Path) -> None:
    """Write the file under a temporary name, then move it.

    Raises:
        TuningError: the place cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(results.to_json(), "utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise TuningError(
            f"tuning {path} cannot be written: {error.strerror}; choose another -o"
        ) from error


def read(path: Path, spec: TargetSpec) -> Results:
    """Read the file of a tuning for `spec`.

    Raises:
        TuningError: no such file, damaged, not a tuning, or one for another target.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise TuningError(
            f"tuning {path} does not exist; make it with `edgemoe tune {spec.name} -o {path}`"
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(path, spec, str(error)) from error
    if not isinstance(data, dict) or _KEYS - set(data):
        raise _damaged(path, spec, "it has not the keys of a tuning")
    if data["format"] != FORMAT:
        raise _damaged(path, spec, f"its format is {data['format']}, this version reads {FORMAT}")
    if data["target"] != spec.name:
        raise TuningError(
            f"tuning {path} is for target {data['target']}, not {spec.name}; give another file, "
            f"or make one with `edgemoe tune {spec.name}`"
        )
    try:
        return _parse(data, spec)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, spec, str(error)) from error


def _damaged(path: Path, spec: TargetSpec, why: str) -> TuningError:
    return TuningError(
        f"tuning {path} cannot be used ({why}); delete it, or make it again with "
        f"`edgemoe tune {spec.name} -o {path}`"
    )


def _parse(data: dict[str, Any], spec: TargetSpec) -> Results:
    machine = data["machine"]
    facts = TunedMachine(str(machine["cpu"]), int(machine["cpus"]), tuple(machine["flags"].split()))
    known = {isa.name: isa for isa in spec.isas}
    by_isa = {}
    for name, entries in data["results"].items():
        results = tuple(_result(entry) for entry in entries)
        for result in results:  # of instruction sets that --cpu leaves out too
            fault = result.tuning.fault(known[name], PANEL) if name in known else ""
            if fault:
                raise ValueError(f"{name}, {result.shape}: {fault}")
        by_isa[name] = results
    versions = {str(k): str(v) for k, v in data["versions"].items()}
    return Results(data["target"], facts, str(data["runner"]), str(data["date"]), versions, by_isa)


def _result(entry: dict[str, Any]) -> Result:
    shape = ShapeClass(**entry["class"])
    sizes = (shape.depth, shape.columns)
    if shape.rows not in ROW_BUCKETS or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise ValueError(f"{entry['class']} is no class of shapes")
    changes = entry["tuning"]
    if not all(isinstance(n, int) for n in changes.values()) or not set(changes) <= set(
        vars(DEFAULT)
    ):
        raise ValueError(f"{changes} is no tuning")
    times = float(entry["microseconds"]), float(entry["default_microseconds"])
    return Result(shape, Tuning(**changes), *times)
