"""Compiled kernels on disk: the source's hash, the device and its driver choose the file."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from edgemoe.runtime.gpu_device import DeviceInfo
from edgemoe.runtime.package import cache_folder


class ProgramCache:
    """Binaries of one device in `gpu/` of the user's cache folder.

    Reading and writing never fail: without a cache, kernels are compiled anew.
    """

    def __init__(self, info: DeviceInfo) -> None:
        self._identity = "\0".join((info.family, info.platform, info.name, info.driver))

    def key(self, source: str) -> str:
        """Name of the file for a kernel's source."""
        return hashlib.sha256(f"{self._identity}\0{source}".encode()).hexdigest()

    def read(self, key: str) -> bytes | None:
        """Return the binary, or None when there is none or it was cut off or edited."""
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        digest, binary = data[:32], data[32:]
        return binary if hashlib.sha256(binary).digest() == digest else None

    def write(self, key: str, binary: bytes) -> None:
        """Keep a binary, with its hash in front."""
        path = self._path(key)
        partial = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(hashlib.sha256(binary).digest() + binary)
            partial.replace(path)
        except OSError:  # a read-only home
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return cache_folder() / "gpu" / key
