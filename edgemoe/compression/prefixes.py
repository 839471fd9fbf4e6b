"""Keeps what the first sections of a graph make of a sample, for candidates that share them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

MOST_BYTES = 256 << 20
"""Memory for what is kept; what was asked for least recently goes first."""


@dataclass
class Prefixes:
    """States between sections, by sample and by the weights that made them.

    Weights are told apart by `id`: an entry holds on to the arrays that it is named after.
    """

    most_bytes: int = MOST_BYTES
    nbytes: int = 0
    _kept: OrderedDict[Hashable, tuple[Mapping[str, Array], Sequence[Array], int]] = field(
        default_factory=OrderedDict
    )
    _lock: Lock = field(default_factory=Lock)

    def get(self, key: Hashable) -> Mapping[str, Array] | None:
        """The state under `key`, if it is still there."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, state: Mapping[str, Array], weights: Sequence[Array]) -> None:
        """Keep a state, with the weights whose `id` is part of the key."""
        size = sum(array.nbytes for array in state.values())
        if size > self.most_bytes:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = state, weights, size
            self.nbytes += size
            while self.nbytes > self.most_bytes:
                self.nbytes -= self._kept.popitem(last=False)[1][2]
