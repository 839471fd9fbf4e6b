"""What calibration keeps of a region: who was chosen, how much it gave, how locally.

A token uses an expert where the id names it and the weight is not zero, or where the score is not
zero. g is the magnitude of its weight or score, f [H] what the expert gives before it is weighed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.region_view import Key

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNKS = (1, 8, 32)
"""Lengths L of the chunks of consecutive tokens for CLS_L (arXiv 2507.08771, section 3.2)."""

GAP_BINS = 1000


@dataclass
class RegionStatistics:
    """One region over all samples; E experts, K chosen (0 where scored).

    Args of the constructor:
        key: names of the weights with an axis of experts: the region in every token bucket.
        label: PyTorch module path, or the name of the call.
        routing: "indexed" or "scored".
        experts: E.
        chosen: K.
        least: fewest experts that the router needs.
        declined: why it cannot be pruned, "" where it can.
        groups: groups of neighbouring experts that the router ranks.
        least_per_group: fewest experts that each group needs.
        tokens: how many were seen.
        uses: tokens that used each expert, int64 [E].
        gate: sum of g, float64 [E].
        contribution: sum of g * |f|, float64 [E].
        norm: sum of |f| over the tokens that used the expert, float64 [E].
        output: sum of f over the tokens that used the expert, float64 [E, H].
        together: tokens that used both experts, int64 [E, E]; `uses` on the diagonal.
        unions: chunks by how many experts any of their tokens used, int64 [E + 1] per length L;
            what is left of a sample after its last whole chunk does not count.
        gaps: tokens by the ratio of the j-th largest g to the largest, int64 [K - 1, GAP_BINS].
    """

    key: Key
    label: str
    routing: str
    experts: int
    chosen: int
    least: int = 1
    declined: str = ""
    groups: int = 1
    least_per_group: int = 0
    tokens: int = 0
    uses: Ints = field(init=False)
    gate: Floats = field(init=False)
    contribution: Floats = field(init=False)
    norm: Floats = field(init=False)
    output: Floats | None = None
    together: Ints = field(init=False)
    unions: dict[int, Ints] = field(init=False)
    gaps: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.uses = np.zeros(self.experts, np.int64)
        self.gate, self.contribution, self.norm = (np.zeros(self.experts) for _ in range(3))
        self.together = np.zeros((self.experts, self.experts), np.int64)
        self.unions = {length: np.zeros(self.experts + 1, np.int64) for length in CHUNKS}
        self.gaps = np.zeros((max(self.chosen - 1, 0), GAP_BINS), np.int64)

    def add_indexed(self, ids: Array, weights: Array, gate: Array, rows: Array) -> None:
        """Take in one sample: ids, weights and gate [T, K], rows [T, K, H]."""
        g = np.abs(gate.astype(np.float64))
        used = (ids >= 0) & (ids < self.experts) & (weights != 0) & (g != 0)
        token, _ = np.nonzero(used)
        expert = ids[used]
        f = rows[used].astype(np.float64)
        self._add(len(ids), token, expert, g[used], f, weights[used].astype(np.float64))
        if self.chosen > 1:
            self._add_gaps(np.where(used, g, 0.0))

    def add_scored(self, scores: Array, hidden: Array, down: Array, bias: Array | None) -> None:
        """Take in one sample: scores [T, E], hidden [T, E, d], down [E, H, d], bias [E, H]."""
        for e in range(self.experts):
            token = np.flatnonzero(scores[:, e])
            f = hidden[token, e].astype(np.float64) @ down[e].T.astype(np.float64)
            f = f if bias is None else f + bias[e]
            g = np.abs(scores[token, e].astype(np.float64))
            self._add_norms(np.full(len(token), e), g, f, g)
        self._add_use(scores != 0)

    def _add(
        self, tokens: int, token: Array, expert: Array, g: Array, f: Array, weights: Array
    ) -> None:
        self._add_norms(expert, g, f, np.abs(weights))
        active = np.zeros((tokens, self.experts), bool)
        active[token, expert] = True
        self._add_use(active)

    def _add_norms(self, expert: Array, g: Array, f: Array, factor: Array) -> None:
        """`factor` is what multiplies f in the sum; it is 1 where g is in f already."""
        norms = np.sqrt(np.square(f).sum(axis=1))
        count = self.experts
        self.gate += np.bincount(expert, g, count)
        self.norm += np.bincount(expert, norms, count)
        self.contribution += np.bincount(expert, factor * norms, count)
        if self.output is None:
            self.output = np.zeros((count, f.shape[1]))
        np.add.at(self.output, expert, f)

    def _add_use(self, active: Array) -> None:
        """Count bool [T, E]."""
        self.tokens += len(active)
        self.uses += active.sum(axis=0)
        whole = active.astype(np.float64)  # float32 would count wrongly beyond 2^24
        self.together += (whole.T @ whole).astype(np.int64)
        for length, counts in self.unions.items():
            chunks = active[: len(active) // length * length].reshape(-1, length, self.experts)
            sizes = chunks.any(axis=1).sum(axis=1)
            counts += np.bincount(sizes, minlength=self.experts + 1)

    def _add_gaps(self, g: Array) -> None:
        ordered = -np.sort(-g, axis=1)
        ordered = ordered[ordered[:, 0] > 0]
        ratios = ordered[:, 1:] / ordered[:, :1]
        bins = np.minimum((ratios * GAP_BINS).astype(np.int64), GAP_BINS - 1)
        for j in range(self.gaps.shape[0]):
            self.gaps[j] += np.bincount(bins[:, j], minlength=GAP_BINS)

    @property
    def unseen(self) -> list[int]:
        """Return the experts that no token used."""
        return [int(e) for e in np.flatnonzero(self.uses == 0)]

    def per_use(self, total: Floats) -> Floats:
        """Divide a sum per expert [E] by its uses; 0 for experts that nobody used."""
        return np.where(self.uses > 0, total / np.maximum(self.uses, 1), 0.0)

    def sparsity(self, length: int = 1) -> float | None:
        """Return CLS_L, the share of (chunk, expert) pairs at rest; TLS for L = 1.

        None where no sample was as long as a chunk.
        """
        counts = self.unions[length]
        chunks = int(counts.sum())
        if not chunks:
            return None
        return 1.0 - float(counts @ np.arange(self.experts + 1)) / (chunks * self.experts)

    def gap(self, share: float = 0.5, rank: int | None = None) -> float | None:
        """Return the ratio of the `rank`-th largest g (default: the K-th) to the largest.

        `share` of the tokens have a smaller one; 0.5 is NAEE's median (arXiv 2402.14800, 3.3).
        None where at most one expert is chosen or nothing was seen.
        """
        row = (self.chosen if rank is None else rank) - 2
        if not 0 <= row < len(self.gaps) or not self.gaps[row].any():
            return None
        total = np.cumsum(self.gaps[row])
        place = int(np.searchsorted(total, share * total[-1]))
        below = total[place - 1] if place else 0
        inside = (share * total[-1] - below) / max(int(self.gaps[row][place]), 1)
        return float((place + inside) / GAP_BINS)

    def summary(self) -> dict[str, Any]:
        """Return the numbers for a report."""
        return {
            "weights": list(self.key), "region": self.label, "routing": self.routing,
            "experts": self.experts, "chosen": self.chosen, "tokens": self.tokens,
            "declined": self.declined, "uses": self.uses.tolist(), "unseen": self.unseen,
            "gate_sum": self.gate.tolist(), "gate_mean": self.per_use(self.gate).tolist(),
            "contribution_sum": self.contribution.tolist(),
            "contribution_mean": self.per_use(self.contribution).tolist(),
            "norm_mean": self.per_use(self.norm).tolist(),
            "together": self.together.tolist(),
            "TLS": self.sparsity(1),
            **{f"CLS_{length}": self.sparsity(length) for length in CHUNKS if length > 1},
            "unions": {str(length): counts.tolist() for length, counts in self.unions.items()},
            "gap_median": self.gap(),
        }  # fmt: skip
