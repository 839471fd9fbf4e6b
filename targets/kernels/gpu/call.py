"""The call of a CPU kernel for which a GPU kernel may stand in.

A module of this package with `STANDS_FOR`, classes of CPU kernels, and `stand_in(call)` replaces
them wherever they are lowered: by one kernel, or by a `Chain` of them. What it gives None for runs
as one task per thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgemoe.targets.graphics import Graphics


@dataclass(frozen=True)
class Call:
    """`spec` with its integer arguments and tasks; `words` are the sizes of what it points to."""

    spec: Any
    integers: tuple[int, ...]
    tasks: int
    words: tuple[int, ...]
    device: Graphics

    def threads(self, wanted: int) -> int:
        """A work-group for `wanted` threads: a power of two that the device takes."""
        threads = self.device.threads
        while threads > 1 and threads // 2 >= wanted:
            threads //= 2
        return threads


@dataclass(frozen=True)
class Link:
    """One launch of a chain.

    `pointers` are numbers: those below the number of the call's pointers are the call's, the others
    count the temporaries of the chain.
    """

    kernel: Any
    template: str
    pointers: tuple[int, ...]


@dataclass(frozen=True)
class Chain:
    """Launches that run one after another in the place of one call.

    `temporaries` are float32 buffers of so many elements, which lie between the launches.
    """

    links: tuple[Link, ...]
    temporaries: tuple[int, ...]
