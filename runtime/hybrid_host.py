"""The CPU's side of a hybrid artifact: its kernels, called step by step on the host's arena."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import ArtifactError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.gpu_program import Buffer
from edgemoe.runtime.manifest import inside
from edgemoe.runtime.weights import HEADER

Array = NDArray[Any]

ALIGNMENT = 64
SERIAL_UNITS = 200_000
"""A step of fewer multiply-accumulates plus bytes runs on the calling thread alone."""


@dataclass(frozen=True)
class HostCall:
    """A step of the CPU: a kernel on (buffer, byte offset) pairs and integers."""

    symbol: str
    arguments: tuple[tuple[int, int] | int, ...]
    tasks: int
    follows: int | None  # buffer whose first int32 multiplies the tasks
    units: int


class Host:
    """Arena, weights and kernels of the CPU; one run at a time."""

    def __init__(self, folder: Path, library: str, weights_bytes: int, arena_bytes: int) -> None:
        path = inside(folder, library).absolute()
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise ArtifactError(
                f"{path} cannot be loaded ({error}); compile the model again"
            ) from (error)
        self._weights = np.memmap(inside(folder, "weights.bin"), np.uint8, "r", offset=HEADER.size)
        if weights_bytes > self._weights.size:
            raise ArtifactError(f"the weights in {folder} are cut off; copy the artifact again")
        room = np.zeros(arena_bytes + ALIGNMENT, np.uint8)
        start = -room.ctypes.data % ALIGNMENT
        self._arena = room[start : start + arena_bytes]
        self._bases = {
            "host": int(self._arena.ctypes.data),
            "host_weights": int(self._weights.ctypes.data),
        }
        self._functions: dict[str, Any] = {}
        self._threads = 1
        self._pool: ThreadPoolExecutor | None = None

    @property
    def threads(self) -> int:
        """Threads that share the tasks of a step."""
        return self._threads

    @threads.setter
    def threads(self, count: int) -> None:
        self.close()
        self._threads = count
        self._pool = ThreadPoolExecutor(count - 1, "edgemoe-cpu") if count > 1 else None

    def view(
        self, buffer: Buffer, inputs: Sequence[Array | None], outputs: Mapping[int, Array]
    ) -> Array:
        """The elements of a buffer, flat."""
        dtype = numpy_dtype(buffer.dtype)
        if buffer.where == "host_input":
            given = inputs[buffer.index]
            assert given is not None
            return given.reshape(-1)
        if buffer.where == "host_output":
            return outputs[buffer.index].reshape(-1)
        memory = self._weights if buffer.where == "host_weights" else self._arena
        return memory[buffer.offset : buffer.offset + buffer.nbytes].view(dtype)

    def call(
        self, call: HostCall, buffers: Mapping[int, Buffer], inputs: Sequence[Array | None],
        outputs: Mapping[int, Array],
    ) -> None:  # fmt: skip
        """Run one step."""

        def address(number: int) -> int:
            buffer = buffers[number]
            base = self._bases.get(buffer.where)
            if base is not None:
                return base + buffer.offset
            return int(self.view(buffer, inputs, outputs).ctypes.data)

        given = [a if isinstance(a, int) else address(a[0]) + a[1] for a in call.arguments]
        tasks = call.tasks
        if call.follows is not None:
            tasks *= int(self.view(buffers[call.follows], inputs, outputs).view(np.int32)[0])
        function = self._function(call)
        if self._pool is None or tasks < 2 or call.units < SERIAL_UNITS:
            function(*given, 0, tasks)
        else:
            self._shared(function, given, tasks)

    def _shared(self, function: Callable[..., Any], given: Sequence[int], tasks: int) -> None:
        assert self._pool is not None
        ends = [tasks * i // self._threads for i in range(self._threads + 1)]
        waiting = [
            self._pool.submit(function, *given, begin, end) for begin, end in pairwise(ends[1:])
        ]
        function(*given, 0, ends[1])
        for future in waiting:
            future.result()

    def _function(self, call: HostCall) -> Any:
        if call.symbol not in self._functions:
            function = getattr(self._library, call.symbol)
            kinds = [ctypes.c_int32 if isinstance(a, int) else ctypes.c_void_p
                     for a in call.arguments]  # fmt: skip
            function.argtypes = [*kinds, ctypes.c_int32, ctypes.c_int32]
            function.restype = None
            self._functions[call.symbol] = function
        return self._functions[call.symbol]

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
