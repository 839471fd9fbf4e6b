"""The weights of a model as the matrices that a quantiser takes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.compression.uniform import has_format
from benchmarks.quantiser import Stored
from edgemoe.compression.calibration import calibrate
from edgemoe.compression.compressed import Compressed
from edgemoe.compression.option import GRAM_SAMPLES
from edgemoe.compression.search import Search
from edgemoe.compression.trial import flat
from edgemoe.precision import Unit

Array = NDArray[Any]


@dataclass(frozen=True)
class Matrix:
    """`rows` float32 [N, K] of a weight, or of one of its experts; `gram` [K, K] of its inputs."""

    unit: Unit
    name: str
    expert: int | None
    rows: Array
    gram: Array | None


def matrices_of(found: Compressed) -> list[Matrix]:
    """Every matrix that a uniform precision reaches.

    The Gram matrices are of the samples that our own rounding looks at.
    """
    search = found.search
    units = [unit for unit in search.units if has_format(unit)]
    names = [name for unit in units for name in unit.names if name in search.trial.products]
    part = found.task.samples.split(found.goal.seed)[0]
    some = part.some(part.numbers[:GRAM_SAMPLES])
    grams = calibrate(flat(found.option.graph), some.feeds(), grams=names).grams
    made = []
    for unit in units:
        for name in unit.names:
            weight = search.weights.originals.get(name)
            if weight is None:
                continue
            gram = grams.get(name)
            for expert in range(unit.experts) if unit.experts else [None]:
                own = weight if expert is None else weight[expert]
                rows = np.ascontiguousarray(own.T if is_transposed(unit, name) else own)
                seen = None if gram is None or not gram.rows.any() else gram.of(expert)
                made.append(Matrix(unit, name, expert, rows, seen))
    return made


def is_transposed(unit: Unit, name: str) -> bool:
    """Whether the outputs lie along the last axis of a weight."""
    return unit.transposed[unit.names.index(name)]


def put_back(
    search: Search, matrices: list[Matrix], stored: Mapping[int, Stored], *, experts: bool
) -> tuple[dict[str, Array], int, int]:
    """Weights by name for a trial, the bytes of the whole model, and how many weights stay float.

    What is not stored, and without `experts` theirs, is float32; so is all that no uniform
    precision reaches.
    """
    arrays: dict[str, Array] = {}
    nbytes, left = search.bytes_of(search.best), 0
    for number, matrix in enumerate(matrices):
        taken = stored.get(number)
        if taken is None or (matrix.expert is not None and not experts):
            left += matrix.rows.size
            continue
        nbytes += taken.nbytes - 4 * matrix.rows.size
        back = taken.weight.T if is_transposed(matrix.unit, matrix.name) else taken.weight
        if matrix.expert is None:
            arrays[matrix.name] = np.ascontiguousarray(back, np.float32)
        else:
            if matrix.name not in arrays:
                arrays[matrix.name] = search.weights.originals[matrix.name].copy()
            arrays[matrix.name][matrix.expert] = back
    return arrays, nbytes, left
