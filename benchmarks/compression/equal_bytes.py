"""A mixture in the bytes of a uniform precision, and one by weight errors: which loses least?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.compression.progress import say
from benchmarks.compression.row import difference, row, tells
from benchmarks.compression.shipped import Shipped
from benchmarks.compression.uniform import uniform
from edgemoe.compression.candidates import Candidate
from edgemoe.compression.compressed import Compressed
from edgemoe.compression.controls import by_weight_error
from edgemoe.compression.goal import Goal
from edgemoe.compression.search import Search
from edgemoe.compression.swaps import evolve
from edgemoe.weight_format import F32, parse

FORMATS = ("i8", "i4", "i4.g64", "i4.g128", "i3", "i2")


def mixture_within(search: Search, nbytes: int, seconds: float, seed: int) -> Candidate | None:
    """The least loss in so many bytes; None where no mixture is as small."""
    start = search.within_bytes(nbytes)
    if start is None:
        return None
    goal = Goal(max_bytes=nbytes, seed=seed)
    found = evolve(search, search.measure(start), goal, time.monotonic() + seconds)
    return found.candidate


def against_uniform(
    model: Shipped, found: Compressed, seconds: float, formats: Sequence[str] = FORMATS
) -> list[dict[str, Any]]:
    """Per format: its row, that of the mixture, and their difference on the test split.

    The search is the one that found `found`, whose sensitivities are measured already.
    """
    search, metric = found.search, next(iter(model.task.metrics.values()))
    whole = search.bytes_of(Candidate(tuple(F32 for _ in search.units)))
    records: list[dict[str, Any]] = []
    for name in formats:
        say(model.name)(f"mixture in the bytes of {name}", 0, 1)
        one = uniform(search, parse(name))
        nbytes = search.bytes_of(one)
        mixed = mixture_within(search, nbytes, seconds, found.goal.seed)
        on_test = search.judge_on(model.test, one)
        record = {"uniform": row(name, nbytes, whole, on_test), "mixture": None}
        if mixed is not None:
            verdict = search.judge_on(model.test, mixed)
            gap = difference(metric, verdict, on_test)
            record |= {
                "mixture": row("mixture", search.bytes_of(mixed), whole, verdict),
                "difference": list(gap), "mixture_loses": tells(gap),
            }  # fmt: skip
            ordered = by_weight_error(search, nbytes)
            if ordered is not None:
                other = search.judge_on(model.test, ordered)
                record |= {
                    "by_weight": row("by weight error", search.bytes_of(ordered), whole, other),
                    "loses_to_by_weight": tells(difference(metric, verdict, other)),
                }
        records.append(record)
    return records
