"""Facts of the machine that a tuning was measured on, read from its `/proc/cpuinfo`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgemoe.targets.cpuinfo import flags_of, isas_of
from edgemoe.targets.spec import Isa, TargetSpec

_NAMES = ("model name", "cpu family", "model", "cpu implementer", "cpu part")
"""What tells processors apart; virtual machines hide all but the family in the name."""


@dataclass(frozen=True)
class TunedMachine:
    """A processor: its name and model numbers as the system gives them, CPUs, features."""

    cpu: str
    cpus: int
    flags: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The name in file names."""
        return re.sub(r"[^a-z0-9]+", "-", self.cpu.lower()).strip("-") or "unknown"

    def isas(self, spec: TargetSpec) -> Sequence[Isa]:
        """The instruction sets of `spec` that it runs, best last."""
        return isas_of(spec, self.flags)


def machine_of(cpuinfo: str, spec: TargetSpec) -> TunedMachine:
    """The machine that has this `/proc/cpuinfo`."""
    facts: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip().lower(), value.strip())
    name = facts.get("model name") or facts.get("hardware") or spec.architecture
    numbers = [f"{key.removeprefix('cpu ')} {facts[key]}" for key in _NAMES[1:] if key in facts]
    cpu = f"{name} ({', '.join(numbers)})" if numbers else name
    count = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))
    return TunedMachine(cpu, max(count, 1), tuple(sorted(flags_of(cpuinfo, spec))))


def this_machine(spec: TargetSpec) -> TunedMachine:
    """The machine that this program runs on."""
    try:
        return machine_of(Path("/proc/cpuinfo").read_text("utf-8"), spec)
    except OSError:
        return TunedMachine("unknown", 1, ())
