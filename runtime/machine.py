"""What this machine can do at best, measured once and kept in the user's cache folder."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgemoe.runtime.package import cache_folder

if TYPE_CHECKING:
    from edgemoe.runtime.session import Session

_SECONDS = 0.2
_REPEATS = 3


@dataclass(frozen=True)
class Machine:
    """The roof of a profile: float32 multiply-add (2 per MAC) and bytes read from memory."""

    cpu: str
    threads: int
    gflops: float
    read_gbps: float


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.lower().startswith(("model name", "cpu model", "hardware")):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def measure(session: Session, *, again: bool = False) -> Machine:
    """Return what this machine can do with the session's number of threads.

    Measured by a micro-benchmark inside the artifact's library (under two seconds) the first
    time, read from `machine.json` in the cache folder afterwards.
    """
    threads = session.threads
    cpu = f"{cpu_name()}, {os.cpu_count()} CPUs"
    key = f"{cpu}, {threads} threads"
    path = cache_folder() / "machine.json"
    known = _read(path)
    if not again and key in known:
        gflops, read_gbps = known[key]
        return Machine(cpu, threads, gflops, read_gbps)
    results = [session.measure(threads=threads, seconds=_SECONDS) for _ in range(_REPEATS)]
    machine = Machine(cpu, threads, max(r[0] for r in results), max(r[1] for r in results))
    _write(path, {**known, key: (machine.gflops, machine.read_gbps)})
    return machine


def _read(path: Path) -> dict[str, tuple[float, float]]:
    try:
        data = json.loads(path.read_text("utf-8"))
        return {str(key): (float(a), float(b)) for key, (a, b) in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # not measured yet, or damaged: measure again


def _write(path: Path, data: dict[str, tuple[float, float]]) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(data, indent=1), "utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)  # a read-only home: it is measured each time
