"""Keeps what native libraries print out of our output: it is no part of any contract."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_stdout_discarded() -> Iterator[None]:
    """Discard what is written to file descriptor 1 meanwhile, by whatever thread.

    What C has buffered is flushed at both ends, so that nothing of ours is lost and nothing of
    theirs comes later. Without an open standard output nothing happens.
    """
    try:
        kept = os.dup(1)
    except OSError:
        yield
        return
    if sys.stdout is not None:
        sys.stdout.flush()
    _flush_c()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        _flush_c()
        os.dup2(kept, 1)
        os.close(nowhere)
        os.close(kept)


def _flush_c() -> None:
    library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    library.fflush(None)
