"""A session of an artifact for a CPU and a GPU together: parts run in turn, tensors cross."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import DeviceError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.gpu_arrays import checked, token_slice
from edgemoe.runtime.gpu_device import Device, Needs, Reading, open_device, parse
from edgemoe.runtime.gpu_memory import DeviceMemory
from edgemoe.runtime.gpu_run import GpuStepInfo, Hook, Run, Runner
from edgemoe.runtime.gpu_session import GpuSession
from edgemoe.runtime.hybrid_host import Host
from edgemoe.runtime.hybrid_program import HybridProgram, Part, read_hybrid
from edgemoe.runtime.machine import cpu_count, cpu_flags
from edgemoe.runtime.manifest import Manifest, check_files, check_machine
from edgemoe.runtime.token_chunks import Chunk

Array = NDArray[Any]
Times = list[tuple[int, int, int]]


class HybridSession(GpuSession):
    """An opened artifact for a CPU and a GPU; thread safe, usable in a `with` statement.

    One run at a time: the CPU's arena is there once. `run_async` computes the CPU's part before it
    returns.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        device: str | None = None,
        *,
        threads: int = 1,
        check: bool = False,
        verify: bool = True,
        strict: bool = False,
    ) -> None:
        """Open the artifact in `folder`; the arguments are those of `load`."""
        self._memory, self._waiter = None, None
        self._host: Host | None = None
        self.path, self.manifest, self.strict = folder, manifest, strict
        check_machine(manifest)
        _check_flags(manifest)
        check_files(folder, manifest, hashes=verify)
        family = str(manifest.data["gpu_family"])
        if parse(device or family)[0] != family:
            raise DeviceError(
                f"artifact '{manifest.name}' is for {manifest.target}, it does not run on "
                f"'{device}'; choose among devices such as {family}:0"
            )
        needs = Needs.read(manifest.data)
        program = read_hybrid(folder, needs.language)
        self._device: Device = open_device(device or family, needs, manifest.name)
        self._host = Host(folder, manifest.library, program.host_weights, program.host_arena)
        self._memory = DeviceMemory(self._device, folder, manifest, program.gpu)
        self._runner = HybridRunner(self._device, program, self._memory, manifest, self._host)
        self._host_arena = program.host_arena
        self.threads = threads
        if check:
            from edgemoe.runtime.selftest import check_session

            check_session(self)

    @property
    def isa(self) -> str:
        """The CPU's instruction set, and what the driver calls the GPU."""
        return f"{self.manifest.isas[0]} and {self._device.info.name}"

    @property
    def threads(self) -> int:
        """Threads of the CPU's steps; assign to change it (-1: one per CPU)."""
        assert self._host is not None
        return self._host.threads

    @threads.setter
    def threads(self, count: int) -> None:
        if count < 1 and count != -1:
            raise DeviceError(f"threads must be 1 or more, or -1 for one per CPU, not {count}")
        assert self._host is not None
        self._host.threads = cpu_count() if count == -1 else count

    @property
    def arena_bytes(self) -> int:
        """Bytes of activations on both devices."""
        return self._opened().arena_bytes + self._host_arena

    def close(self) -> None:
        """Free the memory of both devices."""
        super().close()
        if self._host is not None:
            self._host.close()

    def __repr__(self) -> str:
        names = "; ".join(str(spec) for spec in self.inputs)
        return f"<HybridSession '{self.manifest.name}' for {self.manifest.target}: {names}>"


def _check_flags(manifest: Manifest) -> None:
    missing = [f for f in manifest.data.get("cpu_flags", ()) if f not in cpu_flags()]
    if missing:
        raise DeviceError(
            f"artifact '{manifest.name}' was compiled for {manifest.isas[0]}, this CPU lacks "
            f"{', '.join(missing)}; compile it on this machine, or with --cpu of an older one"
        )


class HybridRunner(Runner):
    """Runs the parts of a variant in their order, each on its device."""

    def __init__(
        self, device: Device, program: HybridProgram, memory: DeviceMemory, manifest: Manifest,
        host: Host,
    ) -> None:  # fmt: skip
        super().__init__(device, program.gpu, memory, manifest)
        self._hybrid, self._host = program, host
        self._alone = threading.Lock()
        self._given: Sequence[Array | None] = ()
        self._inputs: Sequence[Array | None] = ()
        self._results_here: dict[int, Array] = {}

    def enqueue(
        self,
        inputs: Mapping[str, Array],
        out: Mapping[str, Array] | None,
        *,
        strict: bool = False,
        hook: Hook | None = None,
        times: Times | None = None,
    ) -> Run:
        """Run; only the last steps of the GPU may still be on their way when it returns."""
        with self._alone:
            self._given, _ = checked(self._specs, inputs, strict=strict)
            return super().enqueue(inputs, out, strict=strict, hook=hook, times=times)

    def read_buffer(self, variant: int, buffer: Mapping[str, Any]) -> Array:
        """Copy a buffer of `plan.json` to the host, as it is now; flat."""
        found = self._hybrid.variants[variant].buffers
        if not str(buffer["where"]).startswith("host"):
            return super().read_buffer(variant, buffer)
        key = (buffer["where"], buffer["index"], buffer["offset"])
        place = next(b for b in found.values() if (b.where, b.index, b.offset) == key)
        return self._host.view(place, self._inputs, self._results_here).copy()

    def _steps(
        self, chunk: Chunk, names: Sequence[str], hook: Hook | None, times: Times | None
    ) -> Reading:
        variant = self._hybrid.variants[chunk.variant]
        recording = self._recording(chunk.variant)
        self._inputs = [self._slice(n, chunk) for n in range(len(self._specs))]
        self._results_here = {
            b.index: np.empty(b.shape, numpy_dtype(b.dtype))
            for b in variant.buffers.values() if b.where == "host_output"
        }  # fmt: skip
        for part in variant.parts:
            self._part(part, chunk, recording, hook, times)
        here = {self._outputs[number].name: number for number in self._results_here}
        reads = [self._place(name, chunk) for name in names if name not in here]
        reading = self._device.submit([], reads)
        if self._has_pairs:
            self._parity = 1 - self._parity
        arrays = {name: self._as_read(number) for name, number in here.items() if name in names}
        return _Joined(reading, names, arrays)

    def _write_inputs(
        self, memory: DeviceMemory, arrays: Sequence[Array | None], chunk: Chunk, *, first: bool
    ) -> list[Any]:
        """Upload what the GPU reads of the inputs."""
        used = {
            b.index for b in self._program.variants[chunk.variant].buffers if b.where == "input"
        }
        kept = [array if number in used else None for number, array in enumerate(arrays)]
        return super()._write_inputs(memory, kept, chunk, first=first)

    def _slice(self, number: int, chunk: Chunk) -> Array | None:
        array, axis = self._given[number], self._specs[number].token_axis
        if array is None or axis is None:
            return array
        bucket = self._buckets.tokens[chunk.variant]
        part = token_slice(array, axis, chunk.begin, chunk.take, bucket)
        return np.ascontiguousarray(part)

    def _as_read(self, number: int) -> Array:
        """A result of the CPU as the bytes that a device would give."""
        wanted = self._dtype("output", number, self._outputs[number])
        array = np.ascontiguousarray(self._results_here[number].astype(wanted, copy=False))
        return array.reshape(-1).view(np.uint8)

    def _part(
        self, part: Part, chunk: Chunk, recording: Any, hook: Hook | None, times: Times | None
    ) -> None:
        if part.kind == "gpu":
            self._on_gpu(part, chunk, recording, hook, times)
            return
        variant = self._hybrid.variants[chunk.variant]
        for number in range(part.last - part.first):
            begun = time.perf_counter_ns()
            if part.kind == "cpu":
                call = part.calls[number]
                self._host.call(call, variant.buffers, self._inputs, self._results_here)
            else:
                self._transfer(part, number, chunk)
            spent = time.perf_counter_ns() - begun
            self._tell(chunk, part.first + number, spent, hook, times)

    def _on_gpu(
        self, part: Part, chunk: Chunk, recording: Any, hook: Hook | None, times: Times | None
    ) -> None:
        last = part.gpu_first + part.last - part.first
        if times is not None:
            spent = self._device.run_timed(recording[part.gpu_first : last])
            times += [(chunk.variant, part.first + i, ns) for i, ns in enumerate(spent)]
        elif hook is not None:
            for number in range(part.last - part.first):
                step, begun = part.gpu_first + number, time.perf_counter_ns()
                self._device.submit(recording, (), first=step, last=step + 1)
                self._device.finish()
                spent_ns = time.perf_counter_ns() - begun
                self._tell(chunk, part.first + number, spent_ns, hook, None)
        else:
            self._device.submit(recording, (), first=part.gpu_first, last=last)

    def _transfer(self, part: Part, number: int, chunk: Chunk) -> None:
        source, target = part.pairs[number]
        host = self._hybrid.variants[chunk.variant].buffers
        device = self._program.variants[chunk.variant].buffers
        if part.kind == "upload":
            array = self._host.view(host[source], self._inputs, self._results_here)
            wanted = numpy_dtype(device[target].dtype)
            place = self._memory.range_of(device[target], self._parity)
            # A copy: the CPU may write to its arena while the device still reads.
            self._device.write(place, array.astype(wanted))
            self._device.finish()
            return
        place = self._memory.range_of(device[source], self._parity)
        raw = self._device.submit([], [place]).wait()[0][: device[source].nbytes]
        room = self._host.view(host[target], self._inputs, self._results_here)
        room[:] = raw.view(numpy_dtype(device[source].dtype)).astype(room.dtype)

    def _tell(
        self, chunk: Chunk, step: int, spent: int, hook: Hook | None, times: Times | None
    ) -> None:
        if times is not None:
            times.append((chunk.variant, step, spent))
        if hook is not None:
            hook(GpuStepInfo(chunk.variant, step, chunk.take, spent, self))


class _Joined:
    """Results of both devices in the order that was asked for."""

    def __init__(self, reading: Reading, names: Sequence[str], here: Mapping[str, Array]) -> None:
        self._reading, self._names, self._here = reading, names, here

    def wait(self) -> list[Array]:
        """Wait for the device's."""
        there = iter(self._reading.wait())
        return [self._here[n] if n in self._here else next(there) for n in self._names]
