"""Weights of integer products: codes of 8, 4 or 2 bits around 0, a scale per output.

With groups, an output's scale is multiplied by an int8 factor per group of inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.code_ranges import SMALLEST_SCALE
from edgemoe.compression.compensation import compensate
from edgemoe.compression.curvature import DAMPING, NoCurvature, curvature_of
from edgemoe.compression.rounding import clip_search
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]


@dataclass(frozen=True)
class WeightCodes:
    """codes int8 [N, K], scales float64 [N], factors int8 [N, K / group] or None."""

    codes: Array
    scales: Array
    factors: Array | None
    bits: int

    def real(self) -> Array:
        """What the codes mean, float64 [N, K]."""
        found: Array = self.grouped() * self.scales[:, None]
        return found

    def grouped(self) -> Array:
        """Codes times the factors of their groups, float64 [N, K]: what is summed up."""
        wide: Array = self.codes.astype(np.float64)
        if self.factors is not None:
            wide = wide * np.repeat(self.factors, wide.shape[1] // self.factors.shape[1], axis=1)
        return wide


def limits_of(given: WeightFormat) -> tuple[int, int]:
    """The least and the largest code; 8 bits leave -128 out."""
    if given.kind == "ternary":
        return -1, 1
    return (
        (-127, 127) if given.bits == 8 else (-(1 << (given.bits - 1)), (1 << (given.bits - 1)) - 1)
    )


def group_of(given: WeightFormat, depth: int) -> int:
    """Inputs that share a factor: a divisor of the depth, a multiple of 8; 0 where all share it."""
    fitting = [g for g in range(8, given.group + 1, 8) if depth % g == 0 and g < depth]
    return max(fitting, default=0)


def round_weights(
    rows: Array, given: WeightFormat, gram: Array | None = None, least: Array | float = 0.0
) -> WeightCodes:
    """Round float [N, K] to codes: GPTQ with a Gram matrix [K, K], else to nearest.

    Args:
        rows: the weights.
        given: an integer format of 8, 4 or 2 bits, or ternary.
        gram: sum of x x^T over the rows that the product saw.
        least: no output's scale is less: a large bias needs it.
    """
    depth = rows.shape[1]
    group = group_of(given, depth)
    low, high = limits_of(given)
    rows = np.ascontiguousarray(rows, np.float32)
    curvature = curvature_of(gram, depth, group or max(depth, 1), DAMPING)
    importance = None if isinstance(curvature, NoCurvature) else curvature.importance
    plain = WeightFormat(given.kind, given.bits, group, int8_activations=True)
    found = np.abs(clip_search(rows, plain, importance).scales.astype(np.float64))
    factors = None
    if group:
        top = np.maximum(found.max(1, keepdims=True), SMALLEST_SCALE)
        top = np.maximum(top, np.broadcast_to(np.asarray(least), (len(rows),))[:, None] * 127)
        factors = np.clip(np.rint(found / top * 127), 1, 127).astype(np.int8)
        scales = top[:, 0] / 127
    else:
        scales = np.maximum(found[:, 0], least)
    scales = np.where(np.abs(rows).max(1, initial=0.0) > 0, scales, max(float(scales.max()), 1e-12))
    chooser = _Nearest(scales, factors, group or max(depth, 1), low, high, depth)
    if isinstance(curvature, NoCurvature):
        steps = (
            scales[:, None]
            if factors is None
            else np.repeat(scales[:, None] * factors, group, axis=1)
        )
        chooser.codes = np.clip(np.rint(rows / steps), low, high).astype(np.int8)
    else:
        compensate(rows, group or max(depth, 1), curvature, chooser)
    return WeightCodes(chooser.codes, scales, factors, given.bits)


class _Nearest:
    """The nearest codes in ranges that are known before; a `compensation.Chooser`."""

    def __init__(
        self, scales: Array, factors: Array | None, group: int, low: int, high: int, depth: int
    ) -> None:
        self.scales, self.factors, self.group = scales, factors, group
        self.low, self.high = low, high
        self.codes = np.zeros((len(scales), depth), np.int8)

    def begin(self, number: int, weights: Array, inputs: Array) -> None:
        """See `Chooser`; ranges are settled."""
        del number, weights, inputs

    def choose(self, k: int, weights: Array) -> Array:
        """See `Chooser`."""
        steps = self.scales
        if self.factors is not None:
            steps = steps * self.factors[:, k // self.group]
        codes = np.clip(np.rint(weights / steps), self.low, self.high)
        self.codes[:, k] = codes.astype(np.int8)
        back: Array = (codes * steps).astype(np.float32)
        return back
