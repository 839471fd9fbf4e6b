"""Reads .npz files that people or other programs wrote: what is damaged is one clear error."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import InputError

UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises for a file that is cut off, damaged, of another kind, or holds pickles."""


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name, with their shapes and dtypes.

    Raises:
        InputError: the file is missing, damaged, holds pickles, or is a single array (.npy).
    """
    try:
        with path.open("rb") as opened:  # NumPy leaves a file that it cannot read open
            loaded = np.load(opened, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise InputError(
                    f"{path} holds a single array; give an .npz with an array per input "
                    "(numpy.savez(path, x=...))"
                )
            with loaded as file:
                return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give an .npz with an array per input") from error
    except UNREADABLE as error:
        raise InputError(
            f"{path} cannot be read as .npz ({error}); write it with numpy.savez(path, x=...)"
        ) from error
