"""ctypes bindings of an artifact's `model.so`: the structures and functions of `edgemoe.h`."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import threading
from collections.abc import Mapping
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import ArtifactError, DeviceError, EdgemoeError, InputError, RunError

ABI_VERSION = 1
MAX_RANK = 8

DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "int32",
    "uint32", "int64", "uint64", "bool",
)  # fmt: skip


class Tensor(ctypes.Structure):
    """`em_tensor`."""

    _fields_ = (
        ("data", c_void_p),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("shape", c_int64 * MAX_RANK),
    )


class Options(ctypes.Structure):
    """`em_options`."""

    _fields_ = (("threads", c_int32), ("verify", c_int32), ("isa", c_char_p))


class StepInfo(ctypes.Structure):
    """`em_step_info`."""

    _fields_ = (
        ("variant", c_int32),
        ("step", c_int32),
        ("nanoseconds", c_int64),
        ("tokens", c_int64),
        ("arena", c_void_p),
        ("inputs", POINTER(c_void_p)),
        ("outputs", POINTER(c_void_p)),
    )

    def read(self, buffer: Mapping[str, Any]) -> NDArray[Any]:
        """Copy a buffer of `plan.json` as it is now, flat."""
        dtype = np.dtype(buffer["dtype"])
        count = int(np.prod(buffer["shape"], dtype=np.int64))
        if buffer["where"] == "arena":
            address = self.arena + buffer["offset"]
        else:
            pointers = self.inputs if buffer["where"] == "input" else self.outputs
            address = pointers[buffer["index"]]
        raw = ctypes.string_at(address, count * dtype.itemsize)
        return np.frombuffer(raw, dtype)


class StepTime(ctypes.Structure):
    """`em_step_time`."""

    _fields_ = (("variant", c_int32), ("step", c_int32), ("nanoseconds", c_int64))


class Times(ctypes.Structure):
    """`em_times`."""

    _fields_ = (("steps", POINTER(StepTime)), ("capacity", c_int32), ("count", c_int32))


HOOK = ctypes.CFUNCTYPE(None, c_void_p, POINTER(StepInfo))

_ERRORS: dict[int, type[EdgemoeError]] = {
    1: RunError,  # EM_ERROR_ARGUMENT
    2: ArtifactError,  # EM_ERROR_FILE
    3: ArtifactError,  # EM_ERROR_FORMAT
    4: DeviceError,  # EM_ERROR_ISA
    5: RunError,  # EM_ERROR_MEMORY
    6: InputError,  # EM_ERROR_INPUT
    7: InputError,  # EM_ERROR_OUTPUT
    8: InputError,  # EM_ERROR_TOKENS
}

_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "em_abi_version": (c_int32, ()),
    "em_last_error": (c_char_p, ()),
    "em_open": (c_int32, (c_char_p, POINTER(Options), POINTER(c_void_p))),
    "em_close": (None, (c_void_p,)),
    "em_run": (c_int32, (c_void_p, c_void_p, c_int32, c_void_p, c_int32)),
    "em_run_hooked": (c_int32, (c_void_p, c_void_p, c_int32, c_void_p, c_int32, HOOK, c_void_p)),
    "em_set_threads": (c_int32, (c_void_p, c_int32)),
    "em_threads": (c_int32, (c_void_p,)),
    "em_state_reset": (c_int32, (c_void_p,)),
    "em_arena_bytes": (c_size_t, (c_void_p,)),
    "em_state_bytes": (c_size_t, (c_void_p,)),
    "em_isa_name": (c_char_p, (c_void_p,)),
    "em_measure_gflops": (c_double, (c_int32, c_double)),
    "em_measure_read_gbps": (c_double, (c_int32, c_double)),
}


_loaded: dict[Path, dict[tuple[int, ...], ctypes.CDLL]] = {}
_loading = threading.Lock()


def open_library(path: Path) -> ctypes.CDLL:
    """Load `model.so` and declare its functions; a file that replaced a loaded one is loaded anew.

    Raises:
        ArtifactError: it cannot be loaded, or is no edgemoe library of this version.
    """
    try:
        library = _load(path)
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        version = library.em_abi_version()
    except (OSError, AttributeError) as error:
        raise ArtifactError(
            f"the library {path} cannot be loaded ({error}); compile the model again on or for "
            "this machine"
        ) from error
    if version != ABI_VERSION:
        raise ArtifactError(
            f"the library {path} has interface {version}, this edgemoe needs {ABI_VERSION}; "
            "compile the model with this version of edgemoe"
        )
    return library


def _load(path: Path) -> ctypes.CDLL:
    """Load the file that lies at `path` now.

    The loader of the system knows libraries by their path, and gives the old one for a path that
    it has seen: a later file at the same path is loaded through a copy of another name.
    """
    with _loading:
        status = path.stat()
        identity = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        known = _loaded.setdefault(path, {})
        if identity not in known:
            if not known:
                known[identity] = ctypes.CDLL(str(path))
            else:
                with tempfile.TemporaryDirectory(prefix="edgemoe-") as folder:
                    copy = Path(folder) / path.name
                    shutil.copyfile(path, copy)
                    known[identity] = ctypes.CDLL(str(copy))
        return known[identity]


def error_of(library: ctypes.CDLL, status: int) -> EdgemoeError:
    """Return the exception for a status of a call that this thread has just made."""
    message = library.em_last_error().decode("utf-8", "replace")
    return _ERRORS.get(status, RunError)(message or f"the compiled model failed, code {status}")
