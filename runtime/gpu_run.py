"""Runs of a GPU session: what is enqueued for one, in which order, and how it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.frame import check_out, numpy_dtype
from edgemoe.runtime.gpu_arrays import checked, device_dtype, from_device, to_device, token_slice
from edgemoe.runtime.gpu_device import Device, Launch, Range, Reading
from edgemoe.runtime.gpu_memory import DeviceMemory
from edgemoe.runtime.gpu_program import Program, Step
from edgemoe.runtime.manifest import Manifest, TensorSpec
from edgemoe.runtime.token_chunks import Buckets, Chunk

Array = NDArray[Any]
Hook = Callable[[Any], None]


@dataclass(frozen=True)
class GpuStepInfo:
    """What a hook of `run_hooked` is told after each step; the step has ended.

    `nanoseconds` is the time of the host from the step's submission to its end.
    """

    variant: int
    step: int
    tokens: int
    nanoseconds: int
    runner: Runner

    def read(self, buffer: Mapping[str, Any]) -> Array:
        """Copy a buffer of `plan.json` to the host, flat."""
        return self.runner.read_buffer(self.variant, buffer)


@dataclass
class Run:
    """A run that was enqueued: what is still to be read."""

    chunks: Sequence[Chunk]
    tokens: int | None
    readings: Sequence[Reading]  # one per chunk
    names: Sequence[str]  # of the outputs, in the order of every reading
    kept: list[Any]  # host memory that the device may still read
    out: dict[str, Array]


class Runner:
    """Enqueues runs, one after another; recordings are made once per variant.

    States that are no pair of buffers are updated in place. The others have two, which all change
    sides after each chunk: `parity` is the half that holds the values.
    """

    def __init__(
        self, device: Device, program: Program, memory: DeviceMemory, manifest: Manifest
    ) -> None:
        self._device, self._program, self._memory = device, program, memory
        self._specs, self._outputs = manifest.inputs, manifest.outputs
        self._states = manifest.states
        self._buckets = Buckets(manifest.name, manifest.buckets, manifest.dispatch, program.pad_ok)
        self._has_pairs = any(name not in program.in_place for name in self._states)
        self._state_of = {
            spec.state_output: spec.name
            for spec in manifest.inputs
            if spec.state_output is not None
        }
        self._recordings: dict[tuple[int, int], Any] = {}
        self._lock = threading.Lock()
        self._parity = 0
        self._zeros = set(self._states)  # held states that are zeros, whatever the memory holds
        self._spares: dict[str, Range] = {}

    def reset(self) -> None:
        """Make the held states zeros before the next run."""
        with self._lock:
            self._zeros = set(self._states)

    def read_buffer(self, variant: int, buffer: Mapping[str, Any]) -> Array:
        """Copy a buffer of `plan.json` to the host, as it is now; flat, in the device's dtype."""
        names = [item.name for item in self._program.variants[variant].buffers]
        found = self._program.variants[variant].buffers[names.index(buffer["name"])]
        place = self._memory.range_of(found, self._parity)
        raw = self._device.submit([], [place]).wait()[0][: found.nbytes]
        return raw.view(found.dtype)

    def _recording(self, variant: int) -> Any:
        """The steps of a variant with their arguments; made at its first run, once per parity."""
        parity = self._parity if self._has_pairs else 0
        key = (variant, parity)
        if key not in self._recordings:
            program, memory = self._program.variants[variant], self._memory
            used = dict.fromkeys(step.kernel for step in program.steps)
            self._device.build([self._program.kernels[name] for name in used])
            bound = {number for step in program.steps for number in step.buffers}
            ranges = {n: memory.range_of(program.buffers[n], parity) for n in bound}
            self._recordings[key] = self._device.record(
                [self._launch(step, ranges) for step in program.steps]
            )
        return self._recordings[key]

    def _launch(self, step: Step, ranges: Mapping[int, Range]) -> Launch | None:
        """The step on its ranges; None for a copy of a state to itself, in place."""
        kernel = self._program.kernels[step.kernel]
        given = tuple(ranges[number] for number in step.buffers)
        if kernel.copies and given[0] == given[1]:
            return None
        return Launch(kernel, given, step.groups)

    def enqueue(
        self,
        inputs: Mapping[str, Array],
        out: Mapping[str, Array] | None,
        *,
        strict: bool = False,
        hook: Hook | None = None,
        times: list[tuple[int, int, int]] | None = None,
    ) -> Run:
        """Check the inputs and enqueue everything.

        With `times` or `hook` the steps have ended when it returns.
        """
        memory = self._memory
        arrays, tokens = checked(self._specs, inputs, strict=strict)
        chunks = self._buckets.chunks(tokens)
        ready = [
            None if array is None else to_device(array, spec, self._dtype("input", number, spec))
            for number, (spec, array) in enumerate(zip(self._specs, arrays, strict=True))
        ]
        held = {s.name for s, a in zip(self._specs, arrays, strict=True) if a is None}
        results = self._results(tokens, held, out)
        names = list(results)
        run = Run(chunks, tokens, [], names, [], results)
        with self._lock:
            given = [
                s.name for s in self._specs if s.state_output is not None and s.name not in held
            ]
            self._begin_states(memory, given)
            readings = []
            for number, chunk in enumerate(chunks):
                run.kept += self._write_inputs(memory, ready, chunk, first=number == 0)
                readings.append(self._steps(chunk, names, hook, times))
            run.readings = readings
            self._end_states(memory, given)
        return run

    def _results(
        self, tokens: int | None, held: set[str], out: Mapping[str, Array] | None
    ) -> dict[str, Array]:
        """Room for every output that is returned."""
        shapes = {
            spec.name: tuple((tokens or 0) if extent < 0 else extent for extent in spec.shape)
            for spec in self._outputs
        }
        known = {s.name: (shapes[s.name], numpy_dtype(s.dtype)) for s in self._outputs}
        check_out(out or {}, known)
        results = {}
        for spec in self._outputs:
            room = None if out is None else out.get(spec.name)
            if room is None and self._state_of.get(spec.name) in held:
                continue
            results[spec.name] = np.empty(*known[spec.name]) if room is None else room
        return results

    def _dtype(self, where: str, number: int, spec: TensorSpec) -> str:
        return self._program.device_dtype(where, number, device_dtype(spec.dtype))

    def _begin_states(self, memory: DeviceMemory, given: Sequence[str]) -> None:
        """Make held states zeros where they should be; put held ones aside for given ones."""
        for name in self._states:
            now = memory.states[name][self._parity]
            if name in given:
                if name not in self._zeros:
                    if name not in self._spares:
                        self._spares[name] = memory.spare(name)
                    self._device.copy(now, self._spares[name])
            elif name in self._zeros:
                self._device.clear(now)
                self._zeros.discard(name)

    def _end_states(self, memory: DeviceMemory, given: Sequence[str]) -> None:
        for name in given:
            if name not in self._zeros:
                self._device.copy(self._spares[name], memory.states[name][self._parity])

    def _write_inputs(
        self, memory: DeviceMemory, arrays: Sequence[Array | None], chunk: Chunk, *, first: bool
    ) -> list[Any]:
        kept = []
        for number, (spec, array) in enumerate(zip(self._specs, arrays, strict=True)):
            if array is None:
                continue
            if spec.token_axis is None:
                if not first:
                    continue
                if spec.state_output is not None:
                    state = memory.states[spec.name][self._parity]
                    kept.append(self._device.write(state, array))
                    continue
            else:
                bucket = self._buckets.tokens[chunk.variant]
                array = token_slice(array, spec.token_axis, chunk.begin, chunk.take, bucket)
            kept.append(self._device.write(memory.io("input", number, array.nbytes), array))
        return kept

    def _steps(
        self,
        chunk: Chunk,
        names: Sequence[str],
        hook: Hook | None,
        times: list[tuple[int, int, int]] | None,
    ) -> Reading:
        """Enqueue the steps of one chunk and the reads of its outputs; states take turns."""
        recording = self._recording(chunk.variant)
        reads = [self._place(name, chunk) for name in names]
        count = len(self._program.variants[chunk.variant].steps)
        if times is not None:
            spent = self._device.run_timed(recording)
            times += [(chunk.variant, step, ns) for step, ns in enumerate(spent)]
        elif hook is not None:
            for step in range(count):
                start = time.perf_counter_ns()
                self._device.submit(recording, (), first=step, last=step + 1)
                self._device.finish()
                spent_ns = time.perf_counter_ns() - start
                hook(GpuStepInfo(chunk.variant, step, chunk.take, spent_ns, self))
        whole = times is None and hook is None
        reading = self._device.submit(recording if whole else [], reads)
        if self._has_pairs:
            self._parity = 1 - self._parity
        return reading

    def _place(self, name: str, chunk: Chunk) -> Range:
        memory = self._memory
        if name in self._state_of:
            state = self._state_of[name]
            half = self._parity if state in self._program.in_place else 1 - self._parity
            return memory.states[state][half]
        number = [spec.name for spec in self._outputs].index(name)
        return memory.io("output", number, self._nbytes(number, chunk))

    def _shape(self, number: int, chunk: Chunk) -> list[int]:
        """Shape of an output of one chunk, padding included."""
        bucket = self._buckets.tokens[chunk.variant] if self._buckets.tokens else 0
        return [bucket if extent < 0 else extent for extent in self._outputs[number].shape]

    def _nbytes(self, number: int, chunk: Chunk) -> int:
        count = int(np.prod(self._shape(number, chunk), dtype=np.int64))
        return count * numpy_dtype(self._dtype("output", number, self._outputs[number])).itemsize

    def finish(self, run: Run) -> dict[str, Array]:
        """Wait for the chunks and put their outputs together; of several, states are the last."""
        numbers = {spec.name: number for number, spec in enumerate(self._outputs)}
        for chunk, reading in zip(run.chunks, run.readings, strict=True):
            for name, raw in zip(run.names, reading.wait(), strict=True):
                number = numbers[name]
                spec, shape = self._outputs[number], self._shape(number, chunk)
                dtype = self._dtype("output", number, spec)
                typed = raw[: self._nbytes(number, chunk)].view(numpy_dtype(dtype))
                array = from_device(typed.reshape(shape), spec, dtype)
                room = run.out[name]
                if spec.token_axis is None:
                    np.copyto(room, array)
                    continue
                index = [slice(None)] * array.ndim
                index[spec.token_axis] = slice(chunk.begin, chunk.begin + chunk.take)
                target = room[tuple(index)]
                index[spec.token_axis] = slice(0, chunk.take)
                np.copyto(target, array[tuple(index)])
        if not run.names:
            self._device.finish()
        run.kept.clear()
        return run.out
