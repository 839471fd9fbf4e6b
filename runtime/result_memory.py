"""Memory of results that nobody looks at any more, taken again by the next call.

New memory of a large result costs more than many a step: the kernel maps and clears page after page
(40 us for 130 KB), and takes all back when the result is dropped.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ALIGNMENT = 64

KEPT_FROM_BYTES = 1 << 16
"""Below, the allocator of C has the memory at hand."""

KEPT_TO_BYTES = 1 << 24
"""Above, what is kept would be missed elsewhere, and mapping it is a small part of the call."""

MOST_KEPT = 2
"""Blocks per result: one may be in use while the next is written."""


class ResultMemory:
    """The blocks of one result of one call in progress; not for several threads at once."""

    def __init__(self) -> None:
        """Start with no block."""
        self._blocks: list[Array] = []

    def take(self, nbytes: int) -> Array:
        """`nbytes` writeable bytes that no other array shares, at a multiple of `ALIGNMENT`.

        All arrays that are made of the result, and what else reads its memory by way of them (torch
        tensors, memoryviews), keep a reference to its block: a block without any is free.
        """
        kept = KEPT_FROM_BYTES <= nbytes <= KEPT_TO_BYTES and _COUNTS_REFERENCES
        for number in range(len(self._blocks)):
            if kept and sys.getrefcount(self._blocks[number]) == _ALONE:
                return _aligned(self._blocks[number], nbytes)
        block = np.empty(nbytes + ALIGNMENT, np.uint8)
        if kept and len(self._blocks) < MOST_KEPT:
            self._blocks.append(block)
        return _aligned(block, nbytes)


def _aligned(block: Array, nbytes: int) -> Array:
    start = -block.__array_interface__["data"][0] % ALIGNMENT
    return block[start : start + nbytes]


def _counts_references() -> bool:
    """Tell whether objects go with their last reference, and how many there are can be asked."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    return sys.implementation.name == "cpython" and (enabled is None or bool(enabled()))


_COUNTS_REFERENCES = _counts_references()

_SAMPLE = [object()]
_ALONE = sys.getrefcount(_SAMPLE[0])
"""What is counted of an object that one list holds, seen through that list."""
