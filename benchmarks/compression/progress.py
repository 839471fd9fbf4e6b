"""Progress of a long run, on the error stream: a line when something else begins."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

STARTED = time.monotonic()


def say(where: str) -> Callable[[str, int, int], None]:
    """A callback (what, done, total) that says what begins."""
    last = ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        if what != last:
            last = what
            print(f"{time.monotonic() - STARTED:7.1f} s  {where}: {what}", file=sys.stderr)

    return show
