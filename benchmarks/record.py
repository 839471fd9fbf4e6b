"""Measures a case and writes down everything that a table or a plot needs, as plain JSON."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.conductor import Result, measure
from benchmarks.contestant import Contestant, Kit
from benchmarks.environments import ROOT
from benchmarks.ratios import best_peers
from benchmarks.roofline import Roof, Work, roof_of

KITS = Path(__file__).parent / ".kits"
SOURCES = ("cases.py", "layers.py", "exports.py")


def kit_of(case: Case, folder: Path = KITS) -> Kit:
    """Export a case, or find the export of an earlier run of the very same sources."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((Path(__file__).parent / name).read_bytes())
    path = folder / f"{case.name}-{digest.hexdigest()[:12]}"
    if not path.is_dir():
        from benchmarks.exports import write_kit

        partial = folder / f"{case.name}-{os.getpid()}.partial"
        partial.mkdir(parents=True)
        try:
            write_kit(case, partial)
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return Kit.open(path)


def measure_case(
    kit: Kit, contestants: Sequence[Contestant], threads: int, rounds: int, milliseconds: float
) -> dict[str, Any]:
    """The record of one case: rows in the order of time, and the best peer of each of ours."""
    results = measure(kit, contestants, threads, rounds, milliseconds)
    work = Work.of(kit)
    bits = sorted({result.contestant.bits for result in results})
    roofs = {} if work is None else {n: roof_of(work, n, threads) for n in bits}
    return {
        "case": kit.case.name,
        "threads": threads,
        "roofs": {str(n): asdict(roof) for n, roof in roofs.items() if roof is not None},
        "rows": [row_of(result, roofs.get(result.contestant.bits)) for result in by_time(results)],
        "best": [
            {
                "ours": best.ours.contestant.name,
                "peer": None if best.peer is None else best.peer.contestant.name,
                "ratio": best.ratio,
            }
            for best in best_peers(results)
        ],
    }


def by_time(results: Sequence[Result]) -> list[Result]:
    """Fastest first, those that failed last."""
    return sorted(results, key=lambda r: (r.failed is not None, r.rounds_us and r.microseconds))


def row_of(result: Result, roof: Roof | None) -> dict[str, Any]:
    """One contestant."""
    contestant = result.contestant
    row = {
        "name": contestant.name,
        "peer": contestant.peer,
        "format": contestant.format,
        "bits": contestant.bits,
        "failed": result.failed and result.failed.replace(f"{ROOT}/", ""),
    }
    if result.failed is not None:
        return row
    time = result.microseconds
    return row | {
        "microseconds": time,
        "rounds_us": [round(x, 3) for x in result.rounds_us],
        "error": result.error,
        "rss_mb": result.rss_mb,
        "bandwidth_share": None if roof is None else roof.bandwidth_share(time),
        "peak_share": None if roof is None else roof.peak_share(time),
    }
