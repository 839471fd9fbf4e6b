"""The error compensation of GPTQ (Frantar et al., ICLR 2023): the loop over the inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.code_ranges import Search, find_ranges, nearest_codes
from edgemoe.quantise import Codes
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

BLOCK = 32
"""Inputs whose errors reach the inputs behind them in one matrix product."""


def compensate(
    rows: Array, given: WeightFormat, root: Array, order: Array, search: Search
) -> Codes:
    """Round float32 [columns, depth] one input after another.

    Args:
        rows: the weights.
        given: an integer format.
        root: U, float32 [depth, depth] upper triangular, U^T U = H^-1, inputs in `order`.
        order: the inputs in the order of rounding; a group's inputs stay in the place of the group.
        search: how the range of a group is found; its importance is [groups, group], as they lie.
    """
    columns, depth = rows.shape
    group = given.group or max(depth, 1)
    groups = -(-depth // group)
    # What is to be rounded, [depth, columns].
    left = np.ascontiguousarray(rows.T[order], np.float32)
    scales = np.empty((groups, columns), np.float32)
    zeros = np.empty((groups, columns), np.uint8)
    codes = np.empty((groups * group, columns), np.uint8)
    for start in range(0, depth, BLOCK):
        end = min(start + BLOCK, depth)
        errors = np.empty((end - start, columns), np.float32)
        for k in range(start, end):
            g = k // group
            if k % group == 0:
                inputs = order[k : k + group]
                scales[g], zeros[g] = _range(left[k : k + group], inputs % group, g, given, search)
                codes[g * group : (g + 1) * group] = zeros[g]
            code = nearest_codes(left[k], scales[g], zeros[g], given)
            codes[order[k]] = code
            rounded = (code.astype(np.float32) - zeros[g]) * scales[g]
            error = (left[k] - rounded) / root[k, k]
            left[k + 1 : end] -= root[k, k + 1 : end, None] * error
            errors[k - start] = error
        left[end:] -= root[start:end, end:].T @ errors
    return Codes(
        np.ascontiguousarray(codes.T), np.ascontiguousarray(scales.T),
        np.ascontiguousarray(zeros.T),
    )  # fmt: skip


def _range(
    weights: Array, places: Array, g: int, given: WeightFormat, search: Search
) -> tuple[Array, Array]:
    """Scale and zero point of each column for a group; `weights` [inputs, columns] at `places`."""
    count, columns = weights.shape
    group = given.group or count
    values = np.zeros((columns, 1, group), np.float32)
    values[:, 0, places] = weights.T
    importance = search.importance
    part = None if importance is None else importance[g : g + 1]
    found = find_ranges(values, np.array([count]), given, replace(search, importance=part))
    return found.scales[:, 0], found.zeros[:, 0]
