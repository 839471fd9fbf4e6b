"""What a session needs of a GPU, what a device offers, and whether that is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import ArtifactError, DeviceError
from edgemoe.runtime.gpu_program import Kernel
from edgemoe.runtime.manifest import GPU_FAMILIES

Array = NDArray[Any]


@dataclass(frozen=True)
class DeviceInfo:
    """One device as its driver describes it; bytes and threads are the largest that it allows.

    `binding_bytes` is the largest range that a kernel may be given, `buffer_bytes` the largest
    allocation; `memory_bytes` and `storage_buffers` are None where the interface does not tell or
    has no limit.
    """

    family: str
    number: int
    platform: str
    name: str
    driver: str
    kind: str  # "gpu", "cpu", ...
    threads: int
    local_bytes: int
    alignment: int
    binding_bytes: int
    buffer_bytes: int
    memory_bytes: int | None
    storage_buffers: int | None
    fp16: bool
    subgroups: bool

    @property
    def spec(self) -> str:
        """What `edgemoe.load(path, device=...)` takes, such as "opencl:0"."""
        return f"{self.family}:{self.number}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Needs:
    """What the kernels of an artifact need of the device: the table "gpu" of the manifest."""

    language: str
    fp16: bool
    subgroups: bool
    threads: int
    local_bytes: int
    storage_buffers: int
    alignment: int
    binding_bytes: int

    @staticmethod
    def read(data: Mapping[str, Any]) -> Needs:
        """Read the manifest; raises ArtifactError when the table is not there or not whole."""
        try:
            table = data["gpu"]
            return Needs(**{name: table[name] for name in Needs.__dataclass_fields__})
        except (KeyError, TypeError) as error:
            raise ArtifactError(
                f"the manifest of '{data.get('name')}' does not say what its kernels need "
                f"({error}); compile the model again"
            ) from error

    def check(self, info: DeviceInfo, model: str) -> None:
        """Raise DeviceError for the first thing that the device lacks."""
        where = f"{info.name} ({info.spec})"
        for what, needed, limit, unit in (
            ("work-groups", self.threads, info.threads, "threads"),
            ("local memory", self.local_bytes, info.local_bytes, "bytes"),
            ("buffers of one kernel", self.storage_buffers, info.storage_buffers, ""),
            ("one buffer range", self.binding_bytes, info.binding_bytes, "bytes"),
        ):
            if limit is not None and needed > limit:
                raise DeviceError(
                    f"artifact '{model}' needs {what} of {needed:,} {unit}".rstrip()
                    + f", {where} has at most {limit:,}; compile it for a target with this limit "
                    "(a TOML of your own: edgemoe compile -t FILE.toml), or choose another device "
                    "(edgemoe targets --devices)"
                )
        if self.alignment % info.alignment:
            raise DeviceError(
                f"artifact '{model}' places buffers at multiples of {self.alignment} bytes, "
                f"{where} needs {info.alignment}; choose another device (edgemoe targets --devices)"
            )
        for name, needs, has in (
            ("16-bit floats", self.fp16, info.fp16),
            ("subgroups", self.subgroups, info.subgroups),
        ):
            if needs and not has:
                raise DeviceError(
                    f"the kernels of artifact '{model}' use {name}, which {where} does not offer; "
                    "compile it for a target without them, or choose another device (edgemoe "
                    "targets --devices)"
                )


@dataclass(frozen=True)
class Range:
    """Bytes of a device's buffer; a multiple of 4 long."""

    memory: Any
    offset: int
    nbytes: int


@dataclass(frozen=True)
class Launch:
    """One step: a kernel with the ranges of its parameters."""

    kernel: Kernel
    ranges: tuple[Range, ...]
    groups: int


class Reading(Protocol):
    """Bytes on their way from the device."""

    def wait(self) -> list[Array]:
        """Wait for the run and return an array of uint8 per range."""


class Device(Protocol):
    """An opened device; what is enqueued runs in order. One per process and device."""

    info: DeviceInfo
    kernels_built: int  # how many kernels this process compiled from source
    kernels_cached: int  # how many came from the cache on disk

    def allocate(self, nbytes: int, what: str) -> Any:
        """Give memory of zeros; raises DeviceError with `what` where there is too little."""

    def free(self, memory: Any) -> None:
        """Give memory back."""

    def write(self, to: Range, data: Array) -> Any:
        """Enqueue a copy from the host; keep what is returned until the next wait."""

    def clear(self, to: Range) -> None:
        """Enqueue zeros."""

    def copy(self, source: Range, to: Range) -> None:
        """Enqueue a copy on the device."""

    def build(self, kernels: Sequence[Kernel]) -> None:
        """Compile kernels that this process has not; raises DeviceError when one is refused."""

    def record(self, launches: Sequence[Launch | None]) -> Any:
        """Set all arguments of a sequence of steps; None is a step with nothing to do."""

    def submit(
        self, recording: Any, reads: Sequence[Range], *, first: int = 0, last: int | None = None
    ) -> Reading:
        """Enqueue steps `first` to `last` (excluded; None: all), then the reads."""

    def run_timed(self, recording: Any) -> list[int]:
        """Run all steps and wait; returns the nanoseconds of each on the device's clock."""

    def finish(self) -> None:
        """Wait for everything."""


class NoReading:
    """Nothing was asked for."""

    def wait(self) -> list[Array]:
        """Return no array."""
        return []


def open_device(device: str, needs: Needs, model: str) -> Device:
    """Open "opencl", "webgpu", or one of several: "opencl:1".

    Raises:
        DeviceError: there is no such device, no driver, no Python package, or it offers less than
            `needs`.
    """
    family, number = parse(device)
    opened: Device
    if family == "opencl":
        from edgemoe.runtime.gpu_opencl import open_opencl

        opened = open_opencl(number, lambda info: needs.check(info, model))
    else:
        from edgemoe.runtime.gpu_webgpu import open_webgpu

        opened = open_webgpu(number, lambda info: needs.check(info, model))
    return opened


def parse(device: str) -> tuple[str, int | None]:
    """Split "opencl:1" into family and number; raises DeviceError when it is neither."""
    family, _, number = device.partition(":")
    if family not in GPU_FAMILIES or (number and not number.isdecimal()) or device.endswith(":"):
        raise DeviceError(
            f"there is no device '{device}'; give opencl, webgpu, or one of several such as "
            "opencl:1 (edgemoe targets --devices lists them)"
        )
    return family, int(number) if number else None


def chosen(found: Sequence[DeviceInfo], number: int | None, family: str) -> DeviceInfo:
    """Return the device of that number; without a number the first GPU, else the first.

    Raises:
        DeviceError: there is none.
    """
    if number is not None:
        for info in found:
            if info.number == number:
                return info
        known = ", ".join(f"{info.spec} ({info.name})" for info in found)
        raise DeviceError(f"there is no device '{family}:{number}'; there are {known}")
    return next((info for info in found if info.kind == "gpu"), found[0])


def padded_bytes(data: Array) -> NDArray[np.uint8]:
    """Return the bytes of an array, with zeros up to a multiple of 4."""
    flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    rest = -flat.size % 4
    return np.concatenate([flat, np.zeros(rest, np.uint8)]) if rest else flat
