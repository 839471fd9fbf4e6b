"""Results of a WebGPU device on their way to the host, through buffers that the host maps."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.gpu_device import Range

Array = NDArray[Any]

_MOST_FREE = 8


class Staging:
    """Buffers to map, used again: one per run in flight."""

    def __init__(self, device: Any, usage: Any) -> None:
        self._device, self._usage = device, usage
        self._free: list[Any] = []
        self._lock = threading.Lock()

    def copy(self, encoder: Any, reads: Sequence[Range]) -> tuple[Any, list[int]]:
        """Encode copies of `reads` to one buffer, in order; returns it and their sizes."""
        buffer, place = self._take(sum(item.nbytes for item in reads)), 0
        for item in reads:
            encoder.copy_buffer_to_buffer(item.memory, item.offset, buffer, place, item.nbytes)
            place += item.nbytes
        return buffer, [item.nbytes for item in reads]

    def _take(self, nbytes: int) -> Any:
        with self._lock:
            for number, buffer in enumerate(self._free):
                if buffer.size >= nbytes:
                    return self._free.pop(number)
        return self._device.create_buffer(
            size=1 << max(8, (nbytes - 1).bit_length()),
            usage=self._usage.MAP_READ | self._usage.COPY_DST,
        )

    def give(self, buffer: Any) -> None:
        """Take an unmapped buffer back; the oldest goes when there are many."""
        with self._lock:
            self._free.append(buffer)
            old = self._free.pop(0) if len(self._free) > _MOST_FREE else None
        if old is not None:
            old.destroy()


class WebGpuReading:
    """See `gpu_device.Reading`."""

    def __init__(
        self,
        staging: Staging,
        staged: tuple[Any, list[int]],
        errors: Callable[[str], contextlib.AbstractContextManager[None]],
    ) -> None:
        self._staging, self._errors = staging, errors
        self._buffer, self._sizes = staged

    def wait(self) -> list[Array]:
        """Wait for the run and return an array of uint8 per range."""
        with self._errors("run the model"):
            self._buffer.map_sync("READ")
            mapped = self._buffer.read_mapped(0, sum(self._sizes))
            data = np.frombuffer(bytearray(mapped), np.uint8)
            self._buffer.unmap()
        self._staging.give(self._buffer)
        ends = np.cumsum(self._sizes)
        return [data[end - nbytes : end] for end, nbytes in zip(ends, self._sizes, strict=True)]
