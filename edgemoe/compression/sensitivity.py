"""Single changes measured end to end: every unit alone in every family of formats."""

from __future__ import annotations

import time
from itertools import zip_longest

import numpy as np

from edgemoe.compression.format_choices import distance, representatives
from edgemoe.compression.search import NOISE, Search
from edgemoe.weight_format import WeightFormat

SENSED = 32
"""Samples that are enough for a sensitivity: it is smooth, and only ranks."""

FEWEST = 4
"""Samples that it takes at least."""


def sense(search: Search, seconds: float) -> None:
    """Measure every single change, on as many samples as the time allows.

    What there is no time for is estimated; every unit is measured once before any is again, with 4
    bits first. Without these nothing else is found, so that they are made however little time there
    is, on few samples. One run shows how far every output moves.
    """
    until = time.monotonic() + seconds
    pairs = _in_order(search)
    if not pairs:  # nothing to choose
        return _estimate_the_rest(search)
    most = search.journal.number("sensed", lambda: _affordable(search, seconds, len(pairs)))
    for done, (number, given) in enumerate(pairs):
        search.show(f"sensitivity on {most} samples", done, len(pairs))
        if done >= len(search.units) and time.monotonic() > until:
            break
        changed = search.best.with_format(number, given)
        verdict = search.judge_on_first(changed, most)
        each = [own.error for own in verdict.losses.values()]
        search.sensitivity[number, given] = max(verdict.error, NOISE)
        search.errors_by_output[number, given] = np.maximum(each, NOISE)
    return _estimate_the_rest(search)


def _in_order(search: Search) -> list[tuple[int, WeightFormat]]:
    """Units and formats in rounds: every unit once, then every unit again."""
    ranked = (
        sorted(representatives(choices), key=lambda given: abs(given.bits - 4))
        for choices in search.choices
    )
    rounds = zip_longest(*ranked)
    return [(n, given) for turn in rounds for n, given in enumerate(turn) if given is not None]


def _affordable(search: Search, seconds: float, changes: int) -> int:
    """So many samples of every change fit into the time; half of it is for rounding."""
    some = max(1, search.judge.threads)
    search.judge_on(search.judge, search.best, some)  # what is done once is no part of it
    started = time.monotonic()
    search.judge_on(search.judge, search.best, 3 * some)  # the first ones are known
    each = (time.monotonic() - started) / (2 * some)
    return max(FEWEST, min(len(search.judge), SENSED, int(seconds / (2 * each * changes + 1e-9))))


def _estimate_the_rest(search: Search) -> None:
    """Give formats the error of the nearest one that was measured.

    In the proportion of their weight errors.
    """
    for number, (unit, choices) in enumerate(zip(search.units, search.choices, strict=True)):
        measured = [given for given in choices if (number, given) in search.sensitivity]
        for given in choices:
            if given == choices[0]:
                search.sensitivity[number, given] = 0.0
                search.errors_by_output[number, given] = np.zeros(len(search.judge.metrics))
            elif given not in measured:
                near = min(measured, key=lambda m, g=given: distance(m, g))  # type: ignore[misc]
                ratio = search.weight_error(unit, given) / search.weight_error(unit, near)
                search.sensitivity[number, given] = search.sensitivity[number, near] * ratio
                search.errors_by_output[number, given] = (
                    search.errors_by_output[number, near] * ratio
                )
