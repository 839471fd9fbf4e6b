"""What this machine can do at best: the best of all measurements, kept in the user's cache folder.

A busy machine measures too little, never too much; so a new measurement can only raise the figures.
"""

from __future__ import annotations

import calendar
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgemoe.runtime.manifest import GPU_FAMILIES
from edgemoe.runtime.package import cache_folder

if TYPE_CHECKING:
    from edgemoe.runtime.session import Session

_SECONDS = 0.05
_REPEATS = 10
_FRESH_SECONDS = 60.0
_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Machine:
    """The roof of a profile: float32 multiply-add (2 per MAC) and bytes read from memory.

    `cpu` names the processor, or the GPU that the session runs on.
    """

    cpu: str
    threads: int
    gflops: float
    read_gbps: float
    measured: str = ""  # when last, in UTC: "2026-01-31 12:00:00"

    def is_fresh(self) -> bool:
        """Tell whether it was measured within the last minute."""
        try:
            when = calendar.timegm(time.strptime(self.measured, _TIME))
        except ValueError:
            return False
        return 0 <= time.time() - when < _FRESH_SECONDS


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

    Measured by a micro-benchmark inside the artifact's library (about a second) the first time
    and when `again` is set; the best figures ever seen are kept in `machine.json` in the cache
    folder.
    """
    threads = session.threads
    on_gpu = session.manifest.family in GPU_FAMILIES
    cpu = session.isa if on_gpu else f"{cpu_name()}, {os.cpu_count()} CPUs"
    key = f"{cpu}, {threads} threads"
    path = cache_folder() / "machine.json"
    known = _read(path)
    if not again and key in known:
        return Machine(cpu, threads, *known[key])
    # Many short looks: one of them falls between what else the machine does.
    results = [session.measure(threads=threads, seconds=_SECONDS) for _ in range(_REPEATS)]
    results += [known[key][:2]] if key in known else []
    best = (max(r[0] for r in results), max(r[1] for r in results))
    now = time.strftime(_TIME, time.gmtime())
    _write(path, {**known, key: (*best, now)})
    return Machine(cpu, threads, *best, now)


def _read(path: Path) -> dict[str, tuple[float, float, str]]:
    try:
        data = json.loads(path.read_text("utf-8"))
        return {
            str(key): (float(gflops), float(gbps), str(when))
            for key, (gflops, gbps, when) in data.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # not measured yet, damaged, or without the time: measure again


def _write(path: Path, data: dict[str, tuple[float, float, str]]) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(data, indent=1), "utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)  # a read-only home: it is measured each time


def cpu_flags() -> set[str]:
    """Return the features of the first processor, in the system's words."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()


def cpu_count() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0))
