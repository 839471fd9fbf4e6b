"""Nested rounding: int8 codes whose upper four bits are a good rounding to 4 bits.

The int8 code is 16 * high + low with low in -8 .. 7, so that (code + 8) >> 4 is the 4-bit code and
its scale 16 times that of int8. Weights are stored once: all bits where memory allows, or the upper
half alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.code_ranges import stored_scales
from edgemoe.compression.compensation import as_group, compensate
from edgemoe.compression.curvature import DAMPING, Curvature, NoCurvature, curvature_of
from edgemoe.compression.rounding import in_groups
from edgemoe.quantise import CHUNK, Codes
from edgemoe.weight_format import GROUPS, WeightFormat

Array = NDArray[Any]

FACTORS = tuple(float(f) for f in np.linspace(0.7, 1.2, 21))
"""4-bit ranges that are tried, as factors of the one whose lowest code is the largest weight."""

SMALL_SHARE = 64.0
"""What the squared error of int8 counts for against that of 4 bits.

It is 256 times as small where nothing is clipped. More would give the 4-bit codes a wider range
than they want, less would clip what int8 has codes for: with normal weights either loses 0.5 dB at
64.
"""

LARGEST, LOWEST, MIDDLE = 16 * 15 + 7, 1, 128
"""Of the int8 codes, as `Codes` has them."""


@dataclass(frozen=True)
class NestedCodes:
    """`codes` uint8 [columns, padded depth], `scales` float32 [columns, groups], both of int8.

    The weight is (code - 128) * scale; `group` inputs share a scale. `note` as in `Codes`.
    """

    codes: Array
    scales: Array
    group: int
    note: str = ""

    def as_int8(self) -> Codes:
        """All bits, of the format `i8` with this group."""
        zeros = np.full(self.scales.shape, MIDDLE, np.uint8)
        return Codes(self.codes, self.scales, zeros, self.note)

    def as_int4(self) -> Codes:
        """The upper bits, of the format `i4` with this group."""
        high = (self.codes.astype(np.uint16) + 8) >> 4
        zeros = np.full(self.scales.shape, MIDDLE >> 4, np.uint8)
        return Codes(high.astype(np.uint8), 16 * self.scales, zeros, self.note)


REACH = 0.1
"""See `nest`: with this, 8 bits are about as good as int8 by rounding to nearest."""


def nest(
    rows: Array, gram: Array | None = None, *, group: int = GROUPS[0], reach: float = REACH,
    damping: float = DAMPING,
) -> NestedCodes:  # fmt: skip
    """Round to codes that can be read at 8 and at 4 bits.

    With a Gram matrix the upper bits are chosen by GPTQ, and then the lower ones by GPTQ among the
    sixteen codes that the upper ones leave. Where the upper bits are not the nearest ones, the
    lower ones cannot make up for it: `reach` says how much better 4 bits may get at that price.

    Args:
        rows: weights, float32 [columns, depth].
        gram: see `gptq`; None: both are rounded to nearest.
        group: inputs that share a scale, of `GROUPS`.
        reach: how far a weight may be from itself, in steps of 4 bits, when its upper bits are
            chosen. On correlated inputs, the squared errors against rounding to nearest at 4 and 8
            bits are 1.0 and 0.4 to 0.8 at 0, 0.6 and 0.7 to 1.2 at 0.1, 0.4 and 1.8 at 0.2, 0.25
            and 8 to 10 without limit (infinity).
        damping: see `gptq`.

    Raises:
        ValueError: the Gram matrix has another size than the rows.
    """
    depth = rows.shape[1]
    curvature = NoCurvature("") if gram is None else curvature_of(gram, depth, group, damping)
    parts = [_Nesting(chunk, group, curvature, reach) for chunk in _chunks(rows)]
    note = ""
    if isinstance(curvature, NoCurvature) and curvature.why:
        note = f"{curvature.why}: rounded to nearest"
    return NestedCodes(
        np.concatenate([part.codes.T for part in parts]),
        np.concatenate([part.scales.T for part in parts]), group, note,
    )  # fmt: skip


def _chunks(rows: Array) -> Iterator[Array]:
    columns, depth = rows.shape
    step = max(1, CHUNK // max(depth, 1))
    for start in range(0, max(columns, 1), step):
        yield np.asarray(rows[start : start + step], np.float32)


class _Nesting:
    """`codes` [padded depth, columns] and `scales` [groups, columns] of int8."""

    def __init__(
        self, rows: Array, group: int, curvature: Curvature | NoCurvature, reach: float
    ) -> None:  # fmt: skip
        columns, depth = rows.shape
        groups = -(-depth // group)
        self.group = group
        self.importance = None
        if curvature.importance is not None:
            self.importance = in_groups(curvature.importance, group)
        self.scales = np.empty((groups, columns), np.float32)
        self.codes = np.full((groups * group, columns), MIDDLE, np.uint8)
        if isinstance(curvature, NoCurvature):
            values = np.zeros((columns, groups * group), np.float32)
            values[:, :depth] = rows
            blocks = values.reshape(columns, groups, group)
            self.scales = best_scales(blocks, self.importance).T
            self.codes = _codes(blocks, self.scales.T).reshape(values.shape).T
            return
        compensate(rows, group, curvature, _High(self, rows, reach))
        compensate(rows, group, curvature, _Low(self))


class _High:
    """Chooses upper bits: the codes become multiples of 16."""

    def __init__(self, nesting: _Nesting, rows: Array, reach: float) -> None:
        self.nesting, self.rows, self.reach = nesting, rows, np.float32(reach)

    def begin(self, number: int, weights: Array, inputs: Array) -> None:
        """See `Chooser`."""
        nesting = self.nesting
        part = None if nesting.importance is None else nesting.importance[number : number + 1]
        values = as_group(weights, inputs, nesting.group)
        nesting.scales[number] = best_scales(values, part)[:, 0]

    def choose(self, k: int, weights: Array) -> Array:
        """See `Chooser`."""
        scales = 16 * self.nesting.scales[k // self.nesting.group]
        own = self.rows[:, k] / scales
        near = np.clip(weights / scales, own - self.reach, own + self.reach)
        high = np.clip(np.rint(near), -8, 7)
        self.nesting.codes[k] = (16 * high + MIDDLE).astype(np.uint8)
        back: Array = high * scales
        return back


class _Low:
    """Chooses lower bits, for the upper ones that are there."""

    def __init__(self, nesting: _Nesting) -> None:
        self.nesting = nesting

    def begin(self, number: int, weights: Array, inputs: Array) -> None:
        """See `Chooser`; the scales stay."""

    def choose(self, k: int, weights: Array) -> Array:
        """See `Chooser`."""
        scales = self.nesting.scales[k // self.nesting.group]
        high = self.nesting.codes[k].astype(np.float32)
        codes = np.clip(np.rint(weights / scales) + MIDDLE, np.maximum(high - 8, LOWEST), high + 7)
        self.nesting.codes[k] = codes.astype(np.uint8)
        back: Array = (codes - MIDDLE) * scales
        return back


def _codes(values: Array, scales: Array) -> Array:
    """The nearest int8 codes, uint8 [columns, groups, group]."""
    codes = np.clip(np.rint(values / scales[..., None]) + MIDDLE, LOWEST, LARGEST)
    found: Array = codes.astype(np.uint8)
    return found


def best_scales(values: Array, importance: Array | None) -> Array:
    """The int8 scales of float32 [columns, groups, group], with the least error of both readings.

    The range is turned over so that its longer side, the negative one, has the largest weight.
    """
    extreme = np.take_along_axis(values, np.abs(values).argmax(-1)[..., None], -1)[..., 0]
    given = WeightFormat("integer", 4, GROUPS[0])
    weights = np.float32(1) if importance is None else importance
    best = np.ones(values.shape[:2], np.float32)
    least = np.full(values.shape[:2], np.inf, np.float32)
    for factor in FACTORS:
        scales = stored_scales(-factor * extreme / MIDDLE, given)
        codes = _codes(values, scales).astype(np.int16)
        steps = scales[..., None]
        fine = (codes - MIDDLE) * steps - values
        coarse = (((codes + 8) >> 4 << 4) - MIDDLE) * steps - values
        error = ((SMALL_SHARE * fine * fine + coarse * coarse) * weights).sum(-1)
        best = np.where(error < least, scales, best)
        least = np.minimum(error, least)
    return best
