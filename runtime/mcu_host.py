"""The generated C of a microcontroller, compiled for this machine and called through ctypes."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import ToolError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.manifest import Manifest, TensorSpec, file_hash
from edgemoe.runtime.package import cache_folder

Array = NDArray[Any]

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
"""No contraction: the same bits on every machine."""


class HostDevice:
    """Runs a model in this process; its states are those of the library, which is its own copy."""

    name = "host"

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Compile what is not in the cache, and load it."""
        self._facts = manifest.data["mcu"]
        self._outputs = {spec.name: spec for spec in manifest.outputs}
        self._stateful = bool(manifest.states)
        built = _built(folder, self._facts)
        with tempfile.NamedTemporaryFile(suffix=".so", delete=False) as file:
            file.write(built.read_bytes())
        try:  # a copy: two sessions of one artifact have states of their own
            library = ctypes.CDLL(file.name)
        finally:
            Path(file.name).unlink()
        prefix = self._facts["prefix"]
        self._run = library[f"{prefix}_run_step" if self._stateful else f"{prefix}_run"]
        self._run.restype = None
        self._reset = library[f"{prefix}_reset"] if self._stateful else None

    def run(self, inputs: Mapping[str, Array], *, reset: bool) -> dict[str, Array]:
        """Run once on checked arrays."""
        if reset and self._reset is not None:
            self._reset()
        names = self._facts["arguments"]
        results = {name: _empty(self._outputs[name]) for name in names["outputs"]}
        arrays = [inputs[name] for name in names["inputs"]] + list(results.values())
        self._run(*(ctypes.c_void_p(array.ctypes.data) for array in arrays))
        return results

    def close(self) -> None:
        """Nothing to stop."""


def _empty(spec: TensorSpec) -> Array:
    return np.empty(spec.shape, numpy_dtype(spec.dtype))


def _built(folder: Path, facts: Mapping[str, Any]) -> Path:
    """The library in the cache, by the content of the sources."""
    key = "-".join(file_hash(folder / name)[:12] for name in sources_and_headers(facts))
    path = cache_folder() / "mcu-host" / f"{key}.so"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as room:
        made = Path(room) / "model.so"
        compile_c(
            ["cc"], [*FLAGS, "-o", str(made), *facts["sources"], "-lm"], folder.absolute(), "gcc"
        )
        made.replace(path)
    return path


def sources_and_headers(facts: Mapping[str, Any]) -> list[str]:
    """Names of the generated files that make up the program."""
    headers = [f"{facts['prefix']}.h", f"{facts['prefix']}_internal.h", "em_core.h"]
    return [*facts["sources"], *headers]


def compile_c(
    compiler: Sequence[str], arguments: Sequence[str], folder: Path, package: str
) -> None:
    """Run a C compiler in `folder`; `package` is what to install when it is missing.

    Raises:
        ToolError: it is missing or failed.
    """
    command = [*compiler, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolError(
            f"the C compiler '{command[0]}' cannot be started ({error.strerror}); install it "
            f"(Debian: apt install {package})"
        ) from error
    if done.returncode != 0:
        log = "\n  ".join((done.stderr + done.stdout).strip().splitlines()[-15:])
        raise ToolError(f"the C compiler '{command[0]}' failed:\n  {log}")
