"""Runs contestants in turns, so that whatever the machine does hits all of them alike.

Every figure is a ratio of two things measured in the same rounds; the median over the rounds is
reported. Results go to a JSON file with the facts of the machine.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

# Set before NumPy and onnxruntime are loaded: one thread unless a benchmark asks for more.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@dataclass(frozen=True)
class Row:
    """One contestant of one case: `ratio` is its time over that of the baseline, per round."""

    case: str
    name: str
    ratio: float
    microseconds: float
    error: float  # relative RMS to the reference


def take_turns(
    runs: Mapping[str, Callable[[], object]], *, seconds: float = 2.0, least: int = 15
) -> dict[str, list[float]]:
    """Seconds per call, one list per contestant, as many rounds as fit in `seconds`."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop or len(times[next(iter(runs))]) < least:
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def rows_of(
    case: str, times: Mapping[str, list[float]], baseline: str, errors: Mapping[str, float]
) -> list[Row]:
    """Median ratios to `baseline`."""
    return [
        Row(
            case,
            name,
            statistics.median(a / b for a, b in zip(list_, times[baseline], strict=True)),
            statistics.median(list_) * 1e6,
            errors.get(name, 0.0),
        )
        for name, list_ in times.items()
    ]


def report(title: str, rows: list[Row], out: Path | None, command: str) -> None:
    """Print the table and write the JSON."""
    print(f"\n{title}\n{'case':28} {'contestant':34} {'ratio':>7} {'us':>10} {'error':>9}")
    for row in rows:
        print(
            f"{row.case:28} {row.name:34} {row.ratio:7.3f} {row.microseconds:10.1f} "
            f"{row.error:9.1e}"
        )
    print(f"repeat: {command}")
    if out is not None:
        data = {
            "title": title,
            "command": command,
            "machine": {"cpu": cpu_name(), "cpus": os.cpu_count(), "system": platform.platform()},
            "rows": [asdict(row) for row in rows],
        }
        out.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def cpu_name() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
