"""The error compensation of GPTQ (Frantar et al., ICLR 2023): the loop over the inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgemoe.code_ranges import Search, find_ranges, nearest_codes
from edgemoe.compression.curvature import Curvature
from edgemoe.quantise import Codes
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

BLOCK = 32
"""Inputs whose errors reach the inputs behind them in one matrix product."""


class Chooser(Protocol):
    """Chooses codes, input by input, and keeps them."""

    def begin(self, number: int, weights: Array, inputs: Array) -> None:
        """Start group `number`: `inputs` of it, and the weights, float32 [inputs, columns]."""

    def choose(self, k: int, weights: Array) -> Array:
        """Choose the codes of input k for weights float32 [columns]; returns what they mean."""


def compensate(rows: Array, group: int, curvature: Curvature, chooser: Chooser) -> None:
    """Let `chooser` round float32 [columns, depth], each input's error moved to those behind it."""
    columns, depth = rows.shape
    order, root = curvature.order, curvature.root
    # What is to be rounded, [depth, columns].
    left = np.ascontiguousarray(rows.T[order], np.float32)
    for start in range(0, depth, BLOCK):
        end = min(start + BLOCK, depth)
        errors = np.empty((end - start, columns), np.float32)
        for k in range(start, end):
            if k % group == 0:
                chooser.begin(k // group, left[k : k + group], order[k : k + group])
            error = (left[k] - chooser.choose(int(order[k]), left[k])) / root[k, k]
            left[k + 1 : end] -= root[k, k + 1 : end, None] * error
            errors[k - start] = error
        left[end:] -= root[start:end, end:].T @ errors


class GroupCodes:
    """The nearest codes, in the range that is found for a group when it begins.

    `search` has its importance as [groups, group].
    """

    def __init__(self, columns: int, depth: int, given: WeightFormat, search: Search) -> None:
        self.given, self.search = given, search
        self.group = given.group or max(depth, 1)
        groups = -(-depth // self.group)
        self.scales = np.empty((groups, columns), np.float32)
        self.zeros = np.empty((groups, columns), np.uint8)
        self.codes = np.empty((groups * self.group, columns), np.uint8)

    def begin(self, number: int, weights: Array, inputs: Array) -> None:
        """See `Chooser`."""
        values = as_group(weights, inputs, self.group)
        importance = self.search.importance
        part = None if importance is None else importance[number : number + 1]
        search = replace(self.search, importance=part)
        found = find_ranges(values, np.array([len(inputs)]), self.given, search)
        self.scales[number], self.zeros[number] = found.scales[:, 0], found.zeros[:, 0]
        self.codes[number * self.group : (number + 1) * self.group] = self.zeros[number]

    def choose(self, k: int, weights: Array) -> Array:
        """See `Chooser`."""
        scales, zeros = self.scales[k // self.group], self.zeros[k // self.group]
        self.codes[k] = nearest_codes(weights, scales, zeros, self.given)
        back: Array = (self.codes[k].astype(np.float32) - zeros) * scales
        return back

    def result(self) -> Codes:
        """The codes of all inputs."""
        codes, scales, zeros = (
            np.ascontiguousarray(array.T) for array in (self.codes, self.scales, self.zeros)
        )
        return Codes(codes, scales, zeros)


def as_group(weights: Array, inputs: Array, group: int) -> Array:
    """Weights [inputs, columns] -> [columns, 1, group], as the inputs lie, zeros at the end."""
    values = np.zeros((weights.shape[1], 1, group), np.float32)
    values[:, 0, inputs % group] = weights.T
    return values
