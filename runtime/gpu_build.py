"""Compiles several kernels at a time: drivers take long, and let go of Python meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Source = TypeVar("Source")
Built = TypeVar("Built")

_MOST_THREADS = 8


def build_all(sources: Sequence[Source], build: Callable[[Source], Built]) -> list[Built]:
    """Return `build(source)` for each, in order; the first error is raised."""
    if len(sources) < 2:
        return [build(source) for source in sources]
    threads = min(len(sources), os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(threads, "edgemoe-build") as pool:
        return list(pool.map(build, sources))
