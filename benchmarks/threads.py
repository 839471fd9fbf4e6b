"""How much faster two threads are than one: the same artifacts with either, in turns.

    python -m benchmarks.threads --json threads.json
    python -m benchmarks.threads --cases W1,W3 --tokens 8,64 --formats f32,i8 --threads 4

A ratio of 2.00 says that two threads take half of the time. Contestants are those of
`python -m benchmarks`, their turns and processes too.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.__main__ import numbers, words
from benchmarks.cases import Case, cases_of
from benchmarks.conductor import log, prepare_all, workers_of
from benchmarks.contestant import Contestant
from benchmarks.machine import facts
from benchmarks.ratios import median_ratio
from benchmarks.record import kit_of


def measure_threads(
    case: Case, formats: Sequence[str], threads: int, rounds: int, milliseconds: float
) -> dict[str, Any]:
    """Times of each format with one thread and with `threads`, by round, in microseconds."""
    kit = kit_of(case)
    entered = [Contestant("ours", name, name) for name in formats]
    prepare_all(kit, entered, 1)
    with ExitStack() as stack:
        teams = [stack.enter_context(workers_of(kit, entered, count)) for count in (1, threads)]
        failed = [result.failed for results, _ in teams for result in results if result.failed]
        if failed:
            raise RuntimeError(f"{case.name}: {failed[0]}")
        for _ in range(rounds):
            for number in range(len(entered)):
                for results, workers in teams:
                    results[number].rounds_us.append(workers[number].turn(milliseconds))
    (alone, _), (together, _) = teams
    return {
        "case": case.name,
        "formats": {
            name: {"one_us": one.rounds_us, "many_us": many.rounds_us}
            for name, one, many in zip(formats, alone, together, strict=True)
        },
    }


def table(document: Mapping[str, Any]) -> str:
    """Median speed-ups in Markdown, one row per case."""
    records = document["records"]
    formats = list(records[0]["formats"])
    lines = [f"| case | {' | '.join(formats)} |", f"|---|{'--:|' * len(formats)}"]
    for record in records:
        cells = [
            f"{median_ratio(times['one_us'], times['many_us']):.2f}"
            for times in record["formats"].values()
        ]
        lines.append(f"| {record['case']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.threads", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--cases", type=words, default=["W1", "W2", "W6"])
    parser.add_argument("--tokens", type=numbers, default=[1, 8, 64, 256])
    parser.add_argument("--batches", type=numbers, default=[1, 32])
    parser.add_argument("--formats", type=words, default=["f32", "bf16", "i8", "i4"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--milliseconds", type=float, default=20, help="length of a turn")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.threads", *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "machine": facts(),
        "threads": given.threads,
        "records": [],
    }
    for name in given.cases:
        for case in cases_of(name, given.tokens, given.batches):
            log(f"{case.name}: {', '.join(given.formats)} with 1 and {given.threads} threads")
            record = measure_threads(
                case, given.formats, given.threads, given.rounds, given.milliseconds
            )
            document["records"].append(record)
            if given.json is not None:  # a long run may be cut short
                given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(table(document))


if __name__ == "__main__":
    main()
