"""Which tunings are tried: each number alone first, then the best of each together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.spec import Isa
from edgemoe.targets.tuning.problem import Problem

TILES = {4: ((4, 0), (8, 16)), 8: ((3, 0), (4, 0)), 16: ((6, 0), (8, 0))}
"""Rows of the tallest tile and columns taken at once, by lanes; 0 columns: the usual."""

INTEGER_TILES = {4: ((2, 0), (4, 0)), 8: ((3, 0), (4, 0)), 16: ((6, 0), (8, 0))}
"""The same for integer weights, whose codes take registers too."""

PREFETCHES = (0, 1024, 8192)

UNROLLS = (4,)

ROW_BLOCKS = (24, 96)

AXES = ("tile", "prefetch", "unroll", "row_block")


def alone(problem: Problem, isa: Isa) -> dict[str, list[Tuning]]:
    """The candidates that differ from the default in one respect, by that respect."""
    found: dict[str, list[Tuning]] = {axis: [] for axis in AXES}
    tiles = INTEGER_TILES if problem.given.is_integer else TILES
    if problem.rows > 1:
        found["tile"] = [
            replace(DEFAULT, rows=rows, columns=columns) for rows, columns in tiles[isa.lanes]
        ]
    found["prefetch"] = [replace(DEFAULT, prefetch=ahead) for ahead in PREFETCHES]
    found["unroll"] = [replace(DEFAULT, unroll=times) for times in UNROLLS]
    if problem.kernel == "linear":
        # Blocks of rows that all rows fit into are all the same.
        found["row_block"] = [
            replace(DEFAULT, row_block=n) for n in ROW_BLOCKS if problem.rows > min(n, 48)
        ]
    return found


def together(best: Mapping[str, Tuning]) -> list[Tuning]:
    """Combinations of tunings that each differ from the default in one respect."""
    found = []
    for count in range(2, len(best) + 1):
        for chosen in combinations(best.values(), count):
            changes: dict[str, int] = {}
            for tuning in chosen:
                changes.update(tuning.changes())
            found.append(replace(DEFAULT, **changes))
    return found
