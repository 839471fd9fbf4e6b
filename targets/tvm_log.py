"""Keeps the log lines of TVM that mean nothing to a user off the standard error stream."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

HARMLESS = ("Fast mode segfaults when there are out-of-bounds indices",)
"""Row numbers of users go through kernels of ours, which check them; what is left is constant."""


@contextmanager
def without_harmless_lines() -> Iterator[None]:
    """Filter what C++ code writes to file descriptor 2 inside the block; the rest is kept."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            log.seek(0)
            for line in log.read().decode("utf-8", "replace").splitlines(keepends=True):
                if not any(text in line for text in HARMLESS):
                    sys.stderr.write(line)
