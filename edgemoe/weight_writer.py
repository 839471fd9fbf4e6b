"""Streams weights into `weights.bin`: a 64-byte header, then sections at multiples of 64 bytes.

The layout of the header is described in `runtime/c/weights.c`, which maps the file.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.plan import Plan, WeightSection
from edgemoe.runtime.weights import ALIGNMENT, HEADER, MAGIC, VERSION, Checksum

_CHUNK_BYTES = 1 << 24


class WeightWriter:
    """Writes one `weights.bin`; a context manager.

    Offsets of sections count from the end of the header, as in `Plan`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sections: list[WeightSection] = []
        self._file = path.open("wb")
        self._file.write(bytes(ALIGNMENT))
        self._position = 0
        self._checksum = Checksum()
        self._rest = b""

    @property
    def nbytes(self) -> int:
        """Bytes of payload so far, without the header."""
        return self._position

    def add(
        self,
        name: str,
        data: NDArray[Any] | bytes,
        *,
        role: str = "",
        expert: int | None = None,
        format: str = "float32",
    ) -> WeightSection:
        """Append a section at the next multiple of 64 bytes and return it."""
        view = _bytes_of(data)
        offset = -(-self._position // ALIGNMENT) * ALIGNMENT
        section = WeightSection(name, offset, len(view), role, expert, format)
        self.write(section, view)
        return section

    def write(self, section: WeightSection, data: NDArray[Any] | bytes | memoryview) -> None:
        """Write a section that the plan has placed; sections come in ascending offsets."""
        view = _bytes_of(data)
        if section.offset < self._position or len(view) != section.nbytes:
            raise ValueError(
                f"weight section '{section.name}': {len(view)} bytes at {section.offset}, planned "
                f"are {section.nbytes} bytes and the file is at {self._position}"
            )
        self._append(memoryview(bytes(section.offset - self._position)))
        self._append(view)
        self.sections.append(section)

    def finish(self, plan: Plan, *, seed: bytes = b"") -> bytes:
        """Pad, write the header, close; returns the build id (16 bytes) for `model.c`.

        The build id depends on the plan, the weights and `seed` alone.
        """
        if self._position > plan.weights_bytes:
            raise ValueError(
                f"plan '{plan.name}' has {plan.weights_bytes} bytes of weights, {self._position} "
                "were written"
            )
        end = -(-plan.weights_bytes // ALIGNMENT) * ALIGNMENT
        self._append(memoryview(bytes(end - self._position)))
        checksum = self._checksum.value
        digest = hashlib.sha256(plan.to_json().encode() + struct.pack("<Q", checksum) + seed)
        build_id = digest.digest()[:16]
        self._file.seek(0)
        self._file.write(HEADER.pack(MAGIC, VERSION, 0, build_id, end, checksum))
        self._file.close()
        return build_id

    def __enter__(self) -> WeightWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _append(self, view: memoryview) -> None:
        for start in range(0, len(view), _CHUNK_BYTES):
            piece = self._rest + bytes(view[start : start + _CHUNK_BYTES])
            whole = len(piece) // 8 * 8
            self._checksum.update(piece[:whole])
            self._rest = piece[whole:]
            self._file.write(view[start : start + _CHUNK_BYTES])
        self._position += len(view)


def write_weights(path: Path, plan: Plan, data: Sequence[NDArray[Any] | bytes]) -> bytes:
    """Write all sections of `plan` at once, `data` in their order; returns the build id."""
    with WeightWriter(path) as writer:
        for section, item in zip(plan.weights, data, strict=True):
            writer.write(section, item)
        return writer.finish(plan)


def _bytes_of(data: NDArray[Any] | bytes | memoryview) -> memoryview:
    if isinstance(data, np.ndarray):
        view = np.ascontiguousarray(data).reshape(-1).view(np.uint8).data
    else:
        view = memoryview(data)
    return view if view.nbytes == 0 else view.cast("B")
