"""What calibration keeps of a tensor or of a product's input: ranges, histograms, Gram matrices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BINS = 2048


@dataclass
class Histogram:
    """Counts of values in BINS equal bins over [-limit, limit); `limit` is a power of two.

    A value beyond the limit doubles it: neighbouring bins become one, so nothing is read twice.
    """

    limit: float = 0.0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: Array) -> None:
        """Count finite values, float64 [n]."""
        largest = float(np.abs(values).max(initial=0.0))
        if largest > 0.0 and self.limit == 0.0:
            self.limit = float(2.0 ** np.ceil(np.log2(largest)))
        while self.limit < largest:
            self._double()
        if self.limit == 0.0:
            self.counts[BINS // 2] += values.size
            return
        bins = np.floor((values / self.limit + 1.0) * (BINS // 2)).astype(np.int64)
        self.counts += np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS)

    def _double(self) -> None:
        inner = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.zeros(BINS, np.int64)
        self.counts[BINS // 4 : BINS // 4 + BINS // 2] = inner
        self.limit *= 2.0

    def edges(self) -> NDArray[np.float64]:
        """Return the borders of the bins, float64 [BINS + 1]."""
        return np.linspace(-self.limit, self.limit, BINS + 1)

    def magnitude(self, share: float) -> float:
        """Return the smallest bin border that this share of all magnitudes does not exceed."""
        half = BINS // 2
        folded = self.counts[half:] + self.counts[:half][::-1]
        total = int(folded.sum())
        if not total:
            return 0.0
        place = int(np.searchsorted(np.cumsum(folded), share * total))
        return self.limit * min(place + 1, half) / half


@dataclass
class TensorStatistics:
    """Ranges of one tensor over all samples; values that are not finite are only counted."""

    name: str
    count: int = 0
    not_finite: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    squares: float = 0.0
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, array: Array) -> None:
        """Take in the elements of one sample, of any shape."""
        values = array.reshape(-1).astype(np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            self.not_finite += int((~finite).sum())
            values = values[finite]
        if not values.size:
            return
        self.count += values.size
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        self.squares += float(np.square(values).sum())  # a dot would start threads
        self.histogram.add(values)

    @property
    def absmax(self) -> float:
        """Return the largest magnitude, 0 where nothing was seen."""
        return max(abs(self.minimum), abs(self.maximum)) if self.count else 0.0

    @property
    def rms(self) -> float:
        """Return the root of the mean square, 0 where nothing was seen."""
        return float(np.sqrt(self.squares / self.count)) if self.count else 0.0

    def summary(self) -> dict[str, Any]:
        """Return the numbers for a report."""
        return {
            "count": self.count, "not_finite": self.not_finite,
            "min": self.minimum if self.count else None,
            "max": self.maximum if self.count else None, "absmax": self.absmax, "rms": self.rms,
            "p99.9": self.histogram.magnitude(0.999),
        }  # fmt: skip


@dataclass
class Gram:
    """X^T X over the rows that a weight multiplied: float64 [depth, depth], or one per expert.

    Rows wait until there are as many as the depth: few rows at a time make a slow product.

    Args of the constructor:
        matrix: [depth, depth], or [E, depth, depth] with the rows that came to each expert.
        rows: how many rows were added, int64 [1] or [E].
        shared: the weight has experts, but one matrix serves all of them.
    """

    matrix: Array
    rows: NDArray[np.int64]
    shared: bool = False
    _waiting: dict[int, list[Array]] = field(default_factory=dict)

    def add(self, expert: int, rows: Array) -> None:
        """Take in rows float32 [n, depth]; `settle` counts those that wait."""
        place = expert if self.matrix.ndim == 3 else 0
        waiting = self._waiting.setdefault(place, [])
        waiting.append(rows)
        if sum(map(len, waiting)) >= self.matrix.shape[-1]:
            self._count(place)

    def add_to_all(self, rows: Array) -> None:
        """Take in rows that every expert reads."""
        square = rows.T @ rows
        for place in range(len(self.rows)):
            self._add(place, square, len(rows))

    def settle(self) -> None:
        """Count the rows that still wait."""
        for place in list(self._waiting):
            self._count(place)

    def _count(self, place: int) -> None:
        rows = np.concatenate(self._waiting.pop(place))
        self._add(place, rows.T @ rows, len(rows))  # float32 here, float64 over all

    def _add(self, place: int, square: Array, count: int) -> None:
        total = self.matrix if self.matrix.ndim == 2 else self.matrix[place]
        total += square
        self.rows[place] += count

    def of(self, expert: int | None = None) -> Array:
        """Return the [depth, depth] of an expert, or the only one."""
        found: Array = self.matrix if self.matrix.ndim == 2 else self.matrix[expert or 0]
        return found


@dataclass
class ProductStatistics:
    """What came to one weight: per channel of its depth, over all rows that it multiplied.

    Args of the constructor:
        weight: name of the constant.
        kind: "MatMul", "Gemm", or the primitive ("ExpertLinear", "BlockUp", ..).
        input: name of the tensor of activations; its ranges are in `Calibration.tensors`.
        output: name of the result.
        layout: "rows" where the depth is the last axis of the input, "columns" where it is the
            last but one (token mixing).
        experts: E, 0 for an ordinary product.
        rows: rows that were multiplied.
        channel_absmax: largest magnitude per channel, float64 [depth].
        channel_squares: sum of squares per channel, float64 [depth].
        rows_of_experts: rows that came to each expert, int64 [E].
    """

    weight: str
    kind: str
    input: str
    output: str
    layout: str
    experts: int
    channel_absmax: NDArray[np.float64]
    channel_squares: NDArray[np.float64]
    rows: int = 0
    rows_of_experts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, rows: Array) -> None:
        """Take in rows [n, depth]."""
        if len(rows):
            self.rows += len(rows)
            magnitude = np.abs(rows).max(axis=0)
            np.maximum(self.channel_absmax, magnitude, out=self.channel_absmax)
            self.channel_squares += np.square(rows, dtype=np.float64).sum(axis=0)

    def outliers(self, factor: float = 6.0) -> list[int]:
        """Return channels whose largest magnitude is `factor` times the RMS of the whole input.

        LLM.int8 (arXiv 2208.07339, section 3.1) takes features beyond a magnitude of 6 in models
        whose activations have about unit variance.
        """
        if not self.rows:
            return []
        rms = np.sqrt(self.channel_squares.sum() / (self.rows * len(self.channel_squares)))
        return [int(i) for i in np.flatnonzero(self.channel_absmax >= factor * rms) if rms > 0]

    def summary(self) -> dict[str, Any]:
        """Return the numbers for a report."""
        return {
            "kind": self.kind, "input": self.input, "output": self.output, "rows": self.rows,
            "depth": len(self.channel_absmax), "experts": self.experts,
            "outliers": self.outliers(),
            **({"rows_of_experts": self.rows_of_experts.tolist()} if self.experts else {}),
        }  # fmt: skip
