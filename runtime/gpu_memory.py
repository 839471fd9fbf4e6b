"""Where the tensors of a session lie on the device: weights, arena, inputs, outputs, states."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edgemoe.runtime.errors import ArtifactError, DeviceError
from edgemoe.runtime.gpu_device import Device, DeviceInfo, Range
from edgemoe.runtime.gpu_program import Buffer, Program
from edgemoe.runtime.manifest import Manifest, inside
from edgemoe.runtime.weights import HEADER, read_header

_UPLOAD_BYTES = 1 << 24


def padded(nbytes: int) -> int:
    """Round up to the 4 bytes that copies and bindings are multiples of."""
    return -(-nbytes // 4) * 4


def pages_of(ranges: Iterable[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Cut weights into pages (begin, end) of at most `most` bytes, never inside of a range.

    Args:
        ranges: (offset, bytes) of every tensor; they may overlap.
        most: the largest buffer of the device; a longer single range gets a page of its own.
    """
    pages: list[tuple[int, int]] = []
    for offset, nbytes in sorted(set(ranges)):
        end = offset + padded(nbytes)
        if pages and (offset < pages[-1][1] or end - pages[-1][0] <= most):
            pages[-1] = (pages[-1][0], max(end, pages[-1][1]))
        else:
            pages.append((offset, end))
    return pages


class DeviceMemory:
    """The allocations of one session.

    There is one buffer per state, or two that take turns where the output must not be the memory
    of the input: in a run of parity p, half p is read and half 1 - p is written.
    """

    def __init__(self, device: Device, folder: Path, manifest: Manifest, program: Program) -> None:
        self._device, self._program, self._manifest = device, program, manifest
        self._owned: list[object] = []
        try:
            self._refuse_too_much()
            self._weights = self._upload(folder)
            self.arena_bytes = max((v.arena_bytes for v in program.variants), default=0)
            self._arena = self._allocate(self.arena_bytes, "the arena of activations")
            sizes = self._sizes()
            self._io = {
                key: self._allocate(nbytes, f"{key[0]} '{self._spec_name(*key)}'")
                for key, nbytes in sizes.items()
                if not self._is_state(*key)
            }
            self.states = {
                spec.name: self._halves(
                    spec.name, self._state_bytes(number, spec.state_output, sizes)
                )
                for number, spec in enumerate(manifest.inputs)
                if spec.state_output is not None
            }
        except Exception:
            self.close()
            raise

    @property
    def state_bytes(self) -> int:
        """Bytes of the states."""
        return sum(half.nbytes for halves in self.states.values() for half in set(halves))

    def _refuse_too_much(self) -> None:
        info = self._device.info
        total = self._program.weights_bytes + max(v.arena_bytes for v in self._program.variants)
        if info.memory_bytes is not None and total > info.memory_bytes:
            raise too_little(info, "hold weights and activations", total)

    def _allocate(self, nbytes: int, what: str) -> object:
        memory = self._device.allocate(nbytes, what)
        self._owned.append(memory)
        return memory

    def _sizes(self) -> dict[tuple[str, int], int]:
        """Bytes of every input and output, in its largest variant."""
        sizes = {("input", n): 4 for n in range(len(self._manifest.inputs))}
        sizes |= {("output", n): 4 for n in range(len(self._manifest.outputs))}
        for variant in self._program.variants:
            for buffer in variant.buffers:
                key = (buffer.where, buffer.index)
                if key in sizes:
                    sizes[key] = max(sizes[key], padded(buffer.nbytes))
        return sizes

    def _spec_name(self, where: str, index: int) -> str:
        specs = self._manifest.inputs if where == "input" else self._manifest.outputs
        return specs[index].name

    def _is_state(self, where: str, index: int) -> bool:
        return self._state_of(where, index) is not None

    def _state_of(self, where: str, index: int) -> str | None:
        name = self._spec_name(where, index)
        for spec in self._manifest.inputs:
            if spec.state_output is not None and name == (
                spec.name if where == "input" else spec.state_output
            ):
                return spec.name
        return None

    def _state_bytes(
        self, number: int, output: str | None, sizes: dict[tuple[str, int], int]
    ) -> int:
        names = [spec.name for spec in self._manifest.outputs]
        return max(sizes["input", number], sizes["output", names.index(str(output))])

    def _halves(self, name: str, nbytes: int) -> tuple[Range, Range]:
        first = Range(self._allocate(nbytes, f"state '{name}'"), 0, nbytes)
        if name in self._program.in_place:
            return first, first
        return first, Range(self._allocate(nbytes, f"state '{name}'"), 0, nbytes)

    def _upload(self, folder: Path) -> list[tuple[int, int, object]]:
        """Copy what steps read of `weights.bin`; returns (begin, end, memory) per page."""
        path = inside(folder, "weights.bin")
        header = read_header(path)
        whole = np.memmap(path, np.uint8, "r", offset=HEADER.size) if header.payload_bytes else None
        ranges = {
            (buffer.offset, buffer.nbytes)
            for variant in self._program.variants
            for buffer in variant.buffers
            if buffer.where == "weights" and buffer.nbytes
        }
        pages = []
        for begin, end in pages_of(ranges, self._device.info.buffer_bytes):
            if whole is None or min(o for o, _ in ranges) < 0 or end > padded(whole.size):
                raise ArtifactError(
                    f"{path} holds {header.payload_bytes:,} bytes, the plan reads up to {end:,}; "
                    "copy the artifact again"
                )
            memory = self._allocate(end - begin, "the weights")
            kept = []
            for start in range(begin, end, _UPLOAD_BYTES):
                part = whole[start : min(end, start + _UPLOAD_BYTES)]
                kept.append(
                    self._device.write(Range(memory, start - begin, padded(part.size)), part)
                )
            self._device.finish()
            pages.append((begin, end, memory))
        return pages

    def range_of(self, buffer: Buffer, parity: int) -> Range:
        """Where a buffer of a plan lies in a run of this parity."""
        nbytes = padded(buffer.nbytes)
        if buffer.where == "arena":
            return Range(self._arena, buffer.offset, nbytes)
        if buffer.where == "weights":
            for begin, end, memory in self._weights:
                if begin <= buffer.offset and buffer.offset + nbytes <= end:
                    return Range(memory, buffer.offset - begin, nbytes)
            raise ArtifactError(f"buffer '{buffer.name}' lies outside of the weights")
        state = self._state_of(buffer.where, buffer.index)
        if state is not None:
            half = parity if buffer.where == "input" else 1 - parity
            return Range(self.states[state][half].memory, 0, nbytes)
        return Range(self._io[buffer.where, buffer.index], 0, nbytes)

    def io(self, where: str, index: int, nbytes: int) -> Range:
        """Where an input or output that is no state lies."""
        return Range(self._io[where, index], 0, padded(nbytes))

    def spare(self, name: str) -> Range:
        """Memory for the held value of a state while a run uses one that the caller gave."""
        nbytes = self.states[name][0].nbytes
        return Range(self._allocate(nbytes, f"state '{name}'"), 0, nbytes)

    def close(self) -> None:
        """Free everything."""
        for memory in self._owned:
            self._device.free(memory)
        self._owned = []


def too_little(info: DeviceInfo, doing: str, nbytes: int) -> DeviceError:
    """The error for memory that the device does not have."""
    total = "" if info.memory_bytes is None else f" ({info.memory_bytes:,} in all)"
    size = f" of {nbytes:,} bytes" if nbytes else ""
    return DeviceError(
        f"{info.name} ({info.spec}) has too little memory to {doing}{size}: the largest buffer "
        f"is {info.buffer_bytes:,} bytes{total}; compile with smaller --tokens or a narrower "
        "--precision, close other sessions, or choose another device (edgemoe targets --devices)"
    )
