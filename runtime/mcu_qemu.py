"""The generated C of a microcontroller on its core, in QEMU: built with a bare-metal harness.

The program reads commands from one pipe and writes results to another, by semihosting, so that one
emulator serves a whole session and keeps the model's states.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import RunError, ToolError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.manifest import Manifest
from edgemoe.runtime.mcu_image import build_image

Array = NDArray[Any]

STEP, RESET_AND_STEP, PROFILE = 1, 2, 3
PACKAGES = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
SECONDS = 300.0
"""An answer that takes longer is no answer."""


class QemuDevice:
    """Runs a model in an emulator that stays up until `close`."""

    name = "qemu"

    def __init__(self, folder: Path, manifest: Manifest, *, profiled: bool = False) -> None:
        """Build the program if it is not in the cache, and start it.

        Raises:
            ToolError: a compiler or emulator is missing, or the target has no emulator.
        """
        self._process: subprocess.Popen[bytes] | None = None
        facts = manifest.data["mcu"]
        emulator = facts["emulator"]
        if emulator is None:
            raise ToolError(
                f"target {manifest.target} names no emulator; add [mcu.emulator] to its file, or "
                "use --device host"
            )
        command = emulator["command"]
        if shutil.which(command[0]) is None:
            package = PACKAGES.get(command[0], command[0])
            raise ToolError(
                f"the emulator '{command[0]}' cannot be started; install it (Debian: apt install "
                f"{package}), or use --device host"
            )
        self._names = facts["arguments"]
        self._outputs = {spec.name: spec for spec in manifest.outputs}
        image = build_image(folder, manifest, profiled=profiled)
        self._room = tempfile.TemporaryDirectory(prefix="edgemoe-qemu-")
        self._start([*command, *_options(profiled), "-kernel", str(image)])

    def _start(self, command: list[str]) -> None:
        room = Path(self._room.name)
        for name in ("in", "out"):
            os.mkfifo(room / name)
        # Both ends are opened here first, so that no side waits for the other one to open.
        self._hold = [os.open(room / name, os.O_RDWR) for name in ("in", "out")]
        self._to = os.open(room / "in", os.O_WRONLY)
        self._from = os.open(room / "out", os.O_RDONLY | os.O_NONBLOCK)
        self._log = (room / "log").open("wb")
        self._process = subprocess.Popen(
            command, cwd=room, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )

    def run(self, inputs: Mapping[str, Array], *, reset: bool) -> dict[str, Array]:
        """Run once on checked arrays."""
        self._send(np.uint32(RESET_AND_STEP if reset else STEP).tobytes(), inputs)
        results = {}
        for name in self._names["outputs"]:
            spec = self._outputs[name]
            dtype = numpy_dtype(spec.dtype)
            raw = self._read(int(np.prod(spec.shape, dtype=np.int64)) * dtype.itemsize)
            results[name] = np.frombuffer(raw, dtype).reshape(spec.shape).copy()
        return results

    def profile(self, inputs: Mapping[str, Array], runs: int, steps: int) -> list[float]:
        """Instructions per step of one run, the mean of `runs`; the image must be profiled."""
        self._send(np.array([PROFILE, runs], np.uint32).tobytes(), inputs)
        head = np.frombuffer(self._read(32), np.uint64).astype(np.float64)
        ticks = np.frombuffer(self._read(8 * steps), np.uint64).astype(np.float64)
        calls = np.frombuffer(self._read(4 * steps), np.uint32).astype(np.float64)
        per_tick = head[1] / head[0]
        per_hook = head[2] / head[3]
        spent = (ticks - calls * per_hook) * per_tick / runs
        return [max(0.0, float(x)) for x in spent]

    def close(self) -> None:
        """Stop the emulator."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for handle in (self._to, self._from, *self._hold):
            os.close(handle)
        self._log.close()
        self._room.cleanup()

    def _send(self, command: bytes, inputs: Mapping[str, Array]) -> None:
        if self._process is None:
            raise RunError("the emulator has been stopped; load the artifact again")
        parts = [command, *(inputs[name].tobytes() for name in self._names["inputs"])]
        view = memoryview(b"".join(parts))
        while view:
            self._alive()
            _, ready, _ = select.select([], [self._to], [], 1.0)
            if ready:
                view = view[os.write(self._to, view[: select.PIPE_BUF]) :]

    def _read(self, nbytes: int) -> bytes:
        pieces: list[bytes] = []
        left, until = nbytes, time.monotonic() + SECONDS
        while left:
            ready, _, _ = select.select([self._from], [], [], 0.2)
            piece = os.read(self._from, left) if ready else b""
            if not piece:
                self._alive()
                if time.monotonic() > until:
                    raise RunError(f"the emulator gave no answer within {SECONDS:.0f} s")
                continue
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _alive(self) -> None:
        assert self._process is not None
        status = self._process.poll()
        if status is None:
            return
        log = (Path(self._room.name) / "log").read_text("utf-8", errors="replace")[-400:].strip()
        self.close()
        reason = "a fault of the core" if status == 100 else f"status {status}"
        raise RunError(
            f"the emulator stopped with {reason}"
            + (f": {log}" if log else "")
            + "\n  next: run on --device host, and report it"
        )


def _options(profiled: bool) -> list[str]:
    options = ["-nographic", "-monitor", "none", "-serial", "none",
               "-semihosting-config", "enable=on,target=native"]  # fmt: skip
    return [*options, "-icount", "shift=0"] if profiled else options
