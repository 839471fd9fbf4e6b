"""OpenCL devices through pyopencl: one context and queue per device and process."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import DeviceError
from edgemoe.runtime.gpu_build import build_all
from edgemoe.runtime.gpu_cache import ProgramCache
from edgemoe.runtime.gpu_device import (
    DeviceInfo,
    Launch,
    NoReading,
    Range,
    Reading,
    padded_bytes,
)
from edgemoe.runtime.gpu_opened import Cause, OpenedDevice, open_once
from edgemoe.runtime.gpu_program import Kernel

Array = NDArray[Any]

_KINDS = {4: "gpu", 2: "cpu", 8: "accelerator"}
_MEMORY = (-4, -5, -6, -61)  # allocation failure, out of resources, of host memory, buffer size
_LOST = (-2, -33, -34, -36)  # device not available, invalid device, context, command queue


def _module() -> Any:
    try:
        import pyopencl
    except ImportError as error:
        raise DeviceError(
            f"OpenCL needs the package pyopencl ({error}); pip install 'edgemoe[gpu]'"
        ) from error
    return pyopencl


def _devices() -> list[tuple[DeviceInfo, Any]]:
    """Every device of every platform."""
    cl = _module()
    try:
        platforms = cl.get_platforms()
    except cl.Error:  # "platform not found": no driver is registered
        return []
    found: list[tuple[DeviceInfo, Any]] = []
    for platform in platforms:
        with contextlib.suppress(cl.Error):  # a platform without devices is none of ours
            found += [
                (_info(len(found) + place, platform, device), device)
                for place, device in enumerate(platform.get_devices())
            ]
    return found


def _info(number: int, platform: Any, device: Any) -> DeviceInfo:
    extensions = device.extensions.split()
    return DeviceInfo(
        family="opencl",
        number=number,
        platform=f"{platform.name.strip()}, {' '.join(platform.version.split()[:2])}",
        name=device.name.strip(),
        driver=device.driver_version.strip(),
        kind=next((name for bit, name in _KINDS.items() if device.type & bit), "other"),
        threads=int(device.max_work_group_size),
        local_bytes=int(device.local_mem_size),
        alignment=max(1, int(device.mem_base_addr_align) // 8),
        binding_bytes=int(device.max_mem_alloc_size),
        buffer_bytes=int(device.max_mem_alloc_size),
        memory_bytes=int(device.global_mem_size),
        storage_buffers=None,
        fp16="cl_khr_fp16" in extensions,
        subgroups="cl_khr_subgroups" in extensions or "cl_intel_subgroups" in extensions,
    )


def list_opencl() -> list[DeviceInfo]:
    """Return every OpenCL device of this machine.

    Raises:
        DeviceError: pyopencl is not installed.
    """
    return [info for info, _ in _devices()]


def open_opencl(number: int | None, check: Callable[[DeviceInfo], None]) -> OpenClDevice:
    """Open a device, or the first GPU; `check` may refuse it."""
    found = _devices()
    if not found:
        raise DeviceError(
            "there is no OpenCL device: no driver is installed, or none is registered in "
            "/etc/OpenCL/vendors (OCL_ICD_VENDORS); install the driver of your GPU, or PoCL for "
            "the CPU (Debian: apt install pocl-opencl-icd)"
        )
    return open_once(found, number, check, OpenClDevice, "opencl")


class OpenClDevice(OpenedDevice):
    """See `gpu_device.Device`."""

    language = "OpenCL"

    def __init__(self, info: DeviceInfo, device: Any) -> None:
        super().__init__(info)
        self._cl = _module()
        self._device = device
        self._programs: dict[str, Any] = {}
        self._cache = ProgramCache(info)
        with self._errors("be opened"):
            self._context = self._cl.Context([device])
            self._queue = self._cl.CommandQueue(self._context)
        self._clock: Any = None  # a second queue, which notes times

    def _caught(self) -> type[Exception]:
        return cast("type[Exception]", self._cl.Error)

    def _cause(self, error: Exception, text: str) -> Cause:
        del text
        code = getattr(error, "code", None)
        return "memory" if code in _MEMORY else "lost" if code in _LOST else "other"

    def _new(self, nbytes: int) -> Any:
        memory = self._cl.Buffer(self._context, self._cl.mem_flags.READ_WRITE, nbytes)
        # Drivers allocate late: what does not fit shows when it is first touched.
        self._fill(memory, 0, nbytes)
        self._queue.finish()
        return memory

    def free(self, memory: Any) -> None:
        """See `Device`."""
        with contextlib.suppress(self._cl.Error):  # it is gone already
            memory.release()

    def _fill(self, memory: Any, offset: int, nbytes: int) -> None:
        self._cl.enqueue_fill_buffer(self._queue, memory, np.zeros(1, np.uint32), offset, nbytes)

    def write(self, to: Range, data: Array) -> Any:
        """See `Device`."""
        with self._errors("take an input", to.nbytes):
            return self._cl.enqueue_copy(
                self._queue, to.memory, padded_bytes(data), dst_offset=to.offset, is_blocking=False
            )

    def clear(self, to: Range) -> None:
        """See `Device`."""
        with self._errors("clear a state"):
            self._fill(to.memory, to.offset, to.nbytes)

    def copy(self, source: Range, to: Range) -> None:
        """See `Device`."""
        with self._errors("copy a state"):
            self._cl.enqueue_copy(
                self._queue, to.memory, source.memory, byte_count=source.nbytes,
                src_offset=source.offset, dst_offset=to.offset,
            )  # fmt: skip

    def build(self, kernels: Sequence[Kernel]) -> None:
        """See `Device`."""
        new = [kernel for kernel in kernels if kernel.source not in self._programs]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # compilers that print notes; errors raise
            for kernel, program in zip(new, build_all(new, self._program), strict=True):
                self._programs[kernel.source] = program

    def _program(self, kernel: Kernel) -> Any:
        cl = self._cl
        key = self._cache.key(kernel.source)
        binary = self._cache.read(key)
        if binary is not None:
            with contextlib.suppress(cl.Error):  # of another build of the driver: made anew
                program = cl.Program(self._context, [self._device], [binary]).build()
                self.kernels_cached += 1
                return program
        program = cl.Program(self._context, kernel.source)
        _ = program.reference_count  # asked before the build, pyopencl caches nothing
        try:
            program.build()
        except cl.Error as error:
            raise self._refusal(kernel, error) from error
        self.kernels_built += 1
        self._cache.write(key, program.get_info(cl.program_info.BINARIES)[0])
        return program

    def record(self, launches: Sequence[Launch | None]) -> Any:
        """See `Device`; a kernel object per step, its arguments are set once."""
        views: dict[tuple[int, int, int], Any] = {}
        recorded: list[Any] = []
        with self._errors("prepare the steps"):
            for launch in launches:
                if launch is None:
                    recorded.append(None)
                    continue
                kernel = self._cl.Kernel(self._programs[launch.kernel.source], launch.kernel.name)
                memories = [self._view(item, views) for item in launch.ranges]
                kernel.set_args(*memories)
                threads = launch.kernel.threads
                # OpenCL does not keep what an argument is: the memories stay with the step.
                recorded.append((kernel, (launch.groups * threads,), (threads,), memories))
        return recorded

    def _view(self, item: Range, views: dict[tuple[int, int, int], Any]) -> Any:
        if item.offset == 0 and item.nbytes >= item.memory.size:
            return item.memory
        key = (item.memory.int_ptr, item.offset, item.nbytes)
        if key not in views:
            flags = self._cl.mem_flags.READ_WRITE
            views[key] = item.memory.get_sub_region(item.offset, item.nbytes, flags)
        return views[key]

    def submit(
        self, recording: Any, reads: Sequence[Range], *, first: int = 0, last: int | None = None
    ) -> Reading:
        """See `Device`."""
        with self._errors("run the model"):
            for kernel, size, threads, _ in filter(None, recording[first:last]):
                self._cl.enqueue_nd_range_kernel(self._queue, kernel, size, threads)
            if not reads:
                self._queue.flush()
                return NoReading()
            arrays, event = [], None
            for item in reads:
                arrays.append(np.empty(item.nbytes, np.uint8))
                event = self._cl.enqueue_copy(
                    self._queue, arrays[-1], item.memory, src_offset=item.offset, is_blocking=False
                )
            self._queue.flush()
        return _OpenClReading(self, arrays, event)

    def run_timed(self, recording: Any) -> list[int]:
        """See `Device`; times are those of the driver's profiling events."""
        cl = self._cl
        with self._errors("run the model"):
            if self._clock is None:
                properties = cl.command_queue_properties.PROFILING_ENABLE
                self._clock = cl.CommandQueue(self._context, properties=properties)
            self._queue.finish()
            events = [
                step and cl.enqueue_nd_range_kernel(self._clock, *step[:3]) for step in recording
            ]
            self._clock.finish()
            return [int(e.profile.end - e.profile.start) if e else 0 for e in events]

    def finish(self) -> None:
        """See `Device`."""
        with self._errors("finish"):
            self._queue.finish()


class _OpenClReading:
    """The queue is in order: the last copy ends after all others."""

    def __init__(self, device: OpenClDevice, arrays: list[Array], event: Any) -> None:
        self._device, self._arrays, self._event = device, arrays, event

    def wait(self) -> list[Array]:
        with self._device._errors("run the model"):
            self._event.wait()
        return self._arrays
