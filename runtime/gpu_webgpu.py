"""WebGPU devices through wgpu (Vulkan, Metal, Direct3D 12 below): one device per process."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from edgemoe.runtime.errors import DeviceError
from edgemoe.runtime.gpu_build import build_all
from edgemoe.runtime.gpu_clock import encode, stamped, waited
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
from edgemoe.runtime.gpu_staging import Staging, WebGpuReading

Array = NDArray[Any]

MOST_GROUPS = 65535
"""Work-groups per dimension; shaders fold the z index in."""

_FEATURES = ("shader-f16", "subgroup", "timestamp-query")
_LIMITS = (
    "max-buffer-size", "max-storage-buffer-binding-size", "max-storage-buffers-per-shader-stage",
    "max-compute-workgroup-storage-size", "max-compute-invocations-per-workgroup",
    "max-compute-workgroup-size-x",
)  # fmt: skip
_BACKENDS = ("Vulkan", "Metal", "DX12")
_KINDS = {"DiscreteGPU": "gpu", "IntegratedGPU": "gpu", "CPU": "cpu"}
_MOST_QUERIES = 2048  # steps of one set of time stamps


def _module() -> Any:
    try:
        import wgpu
    except ImportError as error:
        raise DeviceError(
            f"WebGPU needs the package wgpu ({error}); pip install 'edgemoe[gpu]'"
        ) from error
    return wgpu


def _adapters() -> list[tuple[DeviceInfo, Any]]:
    """Every adapter with compute shaders and storage buffers; OpenGL has too few of them."""
    wgpu = _module()
    with contextlib.suppress(ImportError, RuntimeError):  # another part of the program was first
        from wgpu.backends.wgpu_native.extras import set_instance_extras

        set_instance_extras(backends=_BACKENDS)  # looking for OpenGL takes half a second
    found: list[tuple[DeviceInfo, Any]] = []
    for adapter in wgpu.gpu.enumerate_adapters_sync():
        if adapter.info["backend_type"] != "OpenGL":
            found.append((_info(len(found), adapter), adapter))
    return found


def _info(number: int, adapter: Any) -> DeviceInfo:
    info, limits = adapter.info, adapter.limits
    return DeviceInfo(
        family="webgpu",
        number=number,
        platform=info["backend_type"],
        name=info["device"],
        driver=info["description"] or info["vendor"],
        kind=_KINDS.get(info["adapter_type"], "other"),
        threads=min(
            limits["max-compute-invocations-per-workgroup"], limits["max-compute-workgroup-size-x"]
        ),
        local_bytes=limits["max-compute-workgroup-storage-size"],
        alignment=limits["min-storage-buffer-offset-alignment"],
        binding_bytes=limits["max-storage-buffer-binding-size"],
        buffer_bytes=limits["max-buffer-size"],
        memory_bytes=None,
        storage_buffers=limits["max-storage-buffers-per-shader-stage"],
        fp16="shader-f16" in adapter.features,
        subgroups="subgroup" in adapter.features,
    )


def list_webgpu() -> list[DeviceInfo]:
    """Return every WebGPU adapter of this machine.

    Raises:
        DeviceError: wgpu is not installed.
    """
    return [info for info, _ in _adapters()]


def open_webgpu(number: int | None, check: Callable[[DeviceInfo], None]) -> WebGpuDevice:
    """Open an adapter, or the first GPU; `check` may refuse it."""
    found = _adapters()
    if not found:
        raise DeviceError(
            "there is no WebGPU device: no driver for Vulkan, Metal or Direct3D 12 is installed, "
            "or none is found (VK_DRIVER_FILES); install the driver of your GPU, or Mesa's "
            "lavapipe for the CPU (Debian: apt install mesa-vulkan-drivers libvulkan1)"
        )
    return open_once(found, number, check, WebGpuDevice, "webgpu")


class WebGpuDevice(OpenedDevice):
    """See `gpu_device.Device`.

    wgpu has no interface to keep compiled pipelines on disk: they are compiled once per process,
    and the driver keeps what it does by itself (Mesa: mesa_shader_cache in the user's cache).
    """

    language = "WGSL"

    def __init__(self, info: DeviceInfo, adapter: Any) -> None:
        super().__init__(info)
        self._wgpu = _module()
        self._pipelines: dict[tuple[str, tuple[int, ...]], Any] = {}
        self._layouts: dict[tuple[int, tuple[int, ...]], Any] = {}
        features = [name for name in _FEATURES if name in adapter.features]
        with self._errors("be opened"):
            self._device = adapter.request_device_sync(
                required_features=features,
                required_limits={name: adapter.limits[name] for name in _LIMITS},
            )
        self._queue = self._device.queue
        self._staging = Staging(self._device, self._wgpu.BufferUsage)
        self.has_clock = "timestamp-query" in features
        usage = self._wgpu.BufferUsage
        self._token = self._device.create_buffer(size=4, usage=usage.COPY_SRC | usage.COPY_DST)

    def _caught(self) -> type[Exception]:
        return Exception  # wgpu raises RuntimeError for some of its own

    def _cause(self, error: Exception, text: str) -> Cause:
        if isinstance(error, self._wgpu.GPUOutOfMemoryError) or "out of memory" in text.lower():
            return "memory"
        lost = re.search(r"\blost\b|destroyed|invalid device", text, re.IGNORECASE)
        return "lost" if lost else "other"

    def _new(self, nbytes: int) -> Any:
        usage = self._wgpu.BufferUsage  # new buffers hold zeros
        return self._device.create_buffer(
            size=nbytes, usage=usage.STORAGE | usage.COPY_SRC | usage.COPY_DST
        )

    def free(self, memory: Any) -> None:
        """See `Device`."""
        with contextlib.suppress(Exception):  # it is gone already
            memory.destroy()

    def write(self, to: Range, data: Array) -> Any:
        """See `Device`; wgpu copies the data at once."""
        with self._errors("take an input", to.nbytes):
            self._queue.write_buffer(to.memory, to.offset, padded_bytes(data))

    def clear(self, to: Range) -> None:
        """See `Device`."""
        with self._errors("clear a state"):
            encoder = self._device.create_command_encoder()
            encoder.clear_buffer(to.memory, to.offset, to.nbytes)
            self._queue.submit([encoder.finish()])

    def copy(self, source: Range, to: Range) -> None:
        """See `Device`."""
        with self._errors("copy a state"):
            encoder = self._device.create_command_encoder()
            encoder.copy_buffer_to_buffer(
                source.memory, source.offset, to.memory, to.offset, source.nbytes
            )
            self._queue.submit([encoder.finish()])

    def build(self, kernels: Sequence[Kernel]) -> None:
        """See `Device`."""
        new = [k for k in kernels if (k.source, k.read_only) not in self._pipelines]
        for kernel in new:
            self._layout(kernel)  # made by one thread
        for kernel, pipeline in zip(new, build_all(new, self._pipeline), strict=True):
            self._pipelines[kernel.source, kernel.read_only] = pipeline
            self.kernels_built += 1

    def _pipeline(self, kernel: Kernel) -> Any:
        # naga knows subgroups without this line, and refuses it.
        source = re.sub(r"^\s*enable\s+subgroups\s*;", "", kernel.source, flags=re.MULTILINE)
        try:
            module = self._device.create_shader_module(code=source, label=kernel.name)
            layout = self._device.create_pipeline_layout(bind_group_layouts=[self._layout(kernel)])
            return self._device.create_compute_pipeline(
                layout=layout, compute={"module": module, "entry_point": kernel.name}
            )
        except Exception as error:
            raise self._refusal(kernel, error) from error

    def _layout(self, kernel: Kernel) -> Any:
        key = (len(kernel.parameters), kernel.read_only)
        if key not in self._layouts:
            kinds = [
                "read-only-storage" if place in kernel.read_only else "storage"
                for place in range(len(kernel.parameters))
            ]
            compute = self._wgpu.ShaderStage.COMPUTE
            self._layouts[key] = self._device.create_bind_group_layout(
                entries=[
                    {"binding": place, "visibility": compute, "buffer": {"type": kind}}
                    for place, kind in enumerate(kinds)
                ]
            )
        return self._layouts[key]

    def record(self, launches: Sequence[Launch | None]) -> Any:
        """See `Device`; a bind group per step."""
        recorded: list[Any] = []
        with self._errors("prepare the steps"):
            for launch in launches:
                if launch is None:
                    recorded.append(None)
                    continue
                group = self._device.create_bind_group(
                    layout=self._layout(launch.kernel),
                    entries=[
                        {
                            "binding": place,
                            "resource": {
                                "buffer": item.memory, "offset": item.offset, "size": item.nbytes
                            },
                        }
                        for place, item in enumerate(launch.ranges)
                    ],
                )  # fmt: skip
                pipeline = self._pipelines[launch.kernel.source, launch.kernel.read_only]
                recorded.append((pipeline, group, dispatch_size(launch.groups)))
        return recorded

    def submit(
        self, recording: Any, reads: Sequence[Range], *, first: int = 0, last: int | None = None
    ) -> Reading:
        """See `Device`; steps and reads are one command buffer."""
        with self._errors("run the model"):
            encoder = self._device.create_command_encoder()
            if recording:
                run = encoder.begin_compute_pass()
                for step in filter(None, recording[first:last]):
                    encode(run, step)
                run.end()
            if not reads:
                self._queue.submit([encoder.finish()])
                return NoReading()
            staged = self._staging.copy(encoder, reads)
            self._queue.submit([encoder.finish()])
        return WebGpuReading(self._staging, staged, self._errors)

    def run_timed(self, recording: Any) -> list[int]:
        """See `Device`; a pass per step with time stamps, else a submission per step and a wait."""
        with self._errors("run the model"):
            if not self.has_clock:
                return waited(self, recording)
            steps = [step for step in recording if step is not None]
            times: list[int] = []
            for first in range(0, len(steps), _MOST_QUERIES):
                part = steps[first : first + _MOST_QUERIES]
                times += stamped(self._wgpu, self._device, part)
            found = iter(times)
            return [0 if step is None else next(found) for step in recording]

    def finish(self) -> None:
        """See `Device`; reads 4 bytes, as `on_submitted_work_done` of wgpu 0.32 fails."""
        with self._errors("finish"):
            self._queue.read_buffer(self._token)


def dispatch_size(groups: int) -> tuple[int, int, int]:
    """Work-groups as (x, y, z): at most 65,535 per dimension."""
    return min(groups, MOST_GROUPS), 1, -(-groups // MOST_GROUPS)
