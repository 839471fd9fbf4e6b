"""The process of one contestant: builds it once, then calls it when it is told to.

    python -m benchmarks.worker PEER NAME KIT THREADS

Answers lines of JSON. At the start {"error": relative RMS, "rss_mb": growth} or
{"failed": reason}; then for every line `MILLISECONDS` on standard input the nanoseconds of the
fastest call within about that time: whatever else the machine does can only add to it. Nothing else
reaches its standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from benchmarks.contestant import Call, Kit, peer_of, relative_error
from benchmarks.prepare import sentence_of

BATCH_NS = 200_000
"""Calls shorter than this are timed several at a time: reading the clock costs some 50 ns."""

WARM_CALLS = 3
"""Calls at the start of a turn that are not measured: the contestant before has used the caches."""


def resident_mb() -> float:
    """Resident memory of this process in MB (10^6 bytes)."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0.0
    line = next(x for x in status.read_text("utf-8").splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6


def take_turn(call: Call, milliseconds: float) -> float:
    """Warm up, then return the nanoseconds of the fastest call, or of the fastest short batch."""
    end = time.perf_counter_ns() + int(milliseconds * 1e6)
    for _ in range(WARM_CALLS):
        start = time.perf_counter_ns()
        call()
        took = time.perf_counter_ns() - start
        if start + took > end:
            break  # a call as long as a turn needs no second one to be warm
    batch = max(1, BATCH_NS // max(1, took))
    times: list[float] = []
    end = time.perf_counter_ns() + int(milliseconds * 1e6)
    while not times or time.perf_counter_ns() < end:
        start = time.perf_counter_ns()
        for _ in range(batch):
            call()
        times.append((time.perf_counter_ns() - start) / batch)
    return min(times)


def open_contestant(
    peer_name: str, name: str, kit: Kit, threads: int
) -> tuple[Call, dict[str, Any]]:
    """Build a contestant; returns its call and what is said about it."""
    peer = peer_of(peer_name)
    contestant = next(c for c in peer.contestants(kit.case) if c.name == name)
    wanted = kit.wanted()
    before = resident_mb()
    call = peer.load(contestant, kit, threads)
    result = call().copy()
    call()
    grown = resident_mb() - before
    return call, {"error": relative_error(result, wanted), "rss_mb": grown}


def private_stdout() -> TextIO:
    """Keep standard output for the protocol; what libraries print goes to standard error."""
    kept = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return kept


def main() -> None:
    """Serve turns until the standard input ends."""
    answers = private_stdout()
    peer, name, folder, threads = sys.argv[1:]
    try:
        call, facts = open_contestant(peer, name, Kit.open(Path(folder)), int(threads))
    except Exception as error:  # whatever a peer raises becomes a row of the table
        answers.write(json.dumps({"failed": sentence_of(error)}) + "\n")
        return
    answers.write(json.dumps(facts) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(take_turn(call, float(line))) + "\n")


if __name__ == "__main__":
    main()
