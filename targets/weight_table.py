"""What goes to `weights.bin`, while the programs that read it are being built."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.plan import WeightSection

Array = NDArray[Any]


@dataclass
class WeightTable:
    """What goes to `weights.bin`; data are computed when they are written, and not kept."""

    sections: list[WeightSection] = field(default_factory=list)
    makers: list[Callable[[], Array]] = field(default_factory=list)
    offsets: dict[tuple[object, ...], int] = field(default_factory=dict)
    nbytes: int = 0
    alignment: int = 64
    _hashes: dict[int, tuple[object, str]] = field(default_factory=dict)

    def add(
        self, key: tuple[object, ...], parts: Sequence[tuple[WeightSection, Callable[[], Array]]]
    ) -> int:
        """Add sections one behind the other unless `key` is known; returns the first offset.

        Offsets inside `parts` are ignored; sizes must be multiples of 64 but for the last.
        """
        if key not in self.offsets:
            self.nbytes = -(-self.nbytes // self.alignment) * self.alignment
            self.offsets[key] = self.nbytes
            for section, maker in parts:
                self.sections.append(replace(section, offset=self.nbytes))
                self.makers.append(maker)
                self.nbytes += section.nbytes
        return self.offsets[key]

    def digest(self, owner: object, read: Callable[[], Array]) -> str:
        """A hash of the elements, so that equal weights of two variants are stored once.

        `owner` is what the weight is known by (a tensor of the graph); the elements are not kept.
        """
        if id(owner) not in self._hashes:
            data = np.ascontiguousarray(read())
            text = hashlib.blake2b(data.view(np.uint8).reshape(-1).data, digest_size=16).hexdigest()
            self._hashes[id(owner)] = (owner, f"{data.dtype}{data.shape}{text}")
        return self._hashes[id(owner)][1]

    def data(self) -> Iterator[Array]:
        """The contents of the sections, in their order."""
        for section, maker in zip(self.sections, self.makers, strict=True):
            array = np.ascontiguousarray(maker())
            if array.nbytes != section.nbytes:
                raise AssertionError(f"{section.name}: {array.nbytes} B, not {section.nbytes} B")
            yield array
