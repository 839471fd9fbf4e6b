"""Which experts were active for which tokens, read from a model's routing buffers while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

CHUNK = 8


class StepView(Protocol):
    """What a hook of `Session.run_hooked` is told after each step; valid during the call."""

    variant: int
    step: int
    tokens: int
    nanoseconds: int

    def read(self, buffer: Mapping[str, Any]) -> NDArray[Any]:
        """Copy a buffer of `plan.json` as it is now, flat."""


@dataclass(frozen=True)
class RegionUse:
    """How one MoE layer was used by the tokens of one run.

    `counts[e]` is the number of tokens for which expert e was active. `tls` and `cls8` are the
    token-level and chunk-level sparsity of BlockFFN (arXiv 2507.08771): the share of inactive
    (token, expert) pairs, and of (chunk of 8 consecutive tokens, expert) pairs with no active
    token; None for fewer than 8 tokens. `macs` are the multiply-accumulates of the rows that went
    through experts; a token that chose an expert twice counts twice.
    """

    name: str
    origin: str
    routing: str
    tokens: int
    experts: int
    counts: tuple[int, ...]
    expert_bytes: int
    tls: float
    cls8: float | None
    macs: int

    @property
    def unused(self) -> int:
        """The number of experts that no token used."""
        return sum(count == 0 for count in self.counts)


def token_sparsity(active: NDArray[np.bool_]) -> float:
    """TLS of active [tokens, experts]: 1 - mean."""
    return 1.0 - float(active.mean()) if active.size else 1.0


def chunk_sparsity(active: NDArray[np.bool_], chunk: int = CHUNK) -> float | None:
    """CLS of active [tokens, experts]: 1 - mean over chunks of "any token of it is active".

    Tokens after the last whole chunk are left out; None when there is no whole chunk.
    """
    chunks = len(active) // chunk
    if chunks == 0:
        return None
    grouped = active[: chunks * chunk].reshape(chunks, chunk, -1)
    return 1.0 - float(grouped.any(axis=1).mean())


class RoutingRecorder:
    """A hook for `Session.run_hooked` that copies routing buffers when they are final."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        """Look up the regions of `plan.json`."""
        self._variants = plan["variants"]
        self._rows: dict[str, list[NDArray[np.bool_]]] = {}
        self._macs: dict[str, int] = {}
        self._regions: dict[str, Mapping[str, Any]] = {}
        self._at: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
        for number, variant in enumerate(self._variants):
            for region in variant["regions"]:
                self._at.setdefault((number, region["routed_at"]), []).append(region)

    def __call__(self, info: StepView) -> None:
        """Record the regions whose routing this step finished."""
        for region in self._at.get((info.variant, info.step), ()):
            variant = self._variants[info.variant]
            data = np.array(region.get("constant_ids", ()), np.int64)
            if not data.size:
                data = info.read(variant["buffers"][region["buffer"]])
            pairs = _pairs(region, data)
            if info.tokens and variant["tokens"]:  # the rest of the bucket is padding
                pairs = pairs[: len(pairs) * info.tokens // variant["tokens"]]
            self._rows.setdefault(region["name"], []).append(pairs > 0)
            done = int(pairs.sum()) * region["expert_macs"]
            self._macs[region["name"]] = self._macs.get(region["name"], 0) + done
            self._regions[region["name"]] = region

    def uses(self) -> list[RegionUse]:
        """Return how each region was used so far, in the order of the model."""
        return [self._use(name, np.concatenate(rows)) for name, rows in self._rows.items()]

    def _use(self, name: str, active: NDArray[np.bool_]) -> RegionUse:
        region = self._regions[name]
        return RegionUse(
            name=name,
            origin=region["origin"],
            routing=region["routing"],
            tokens=len(active),
            experts=region["experts"],
            counts=tuple(int(count) for count in active.sum(axis=0)),
            expert_bytes=region["expert_bytes"],
            tls=token_sparsity(active),
            cls8=chunk_sparsity(active),
            macs=self._macs[name],
        )


def _pairs(region: Mapping[str, Any], data: NDArray[Any]) -> NDArray[np.int64]:
    """How often each token goes through each expert, [tokens, experts]."""
    tokens, experts = region["tokens"], region["experts"]
    if region["routing"] == "scored":
        return np.asarray(data.reshape(tokens, experts) != 0, np.int64)
    ids = data.reshape(tokens, -1).astype(np.int64)
    pairs = np.zeros((tokens, experts), np.int64)
    rows, columns = np.nonzero((ids >= 0) & (ids < experts))  # others mean "nobody"
    np.add.at(pairs, (rows, ids[rows, columns]), 1)
    return pairs
