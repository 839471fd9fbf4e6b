"""Runs the source of one kernel on whatever OpenCL or WebGPU device there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from edgemoe.targets.gpu.codegen import source_of
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.spec import load_target

DEVICES = ("opencl", "webgpu")


def launch(
    target: str | Graphics, kernel: Any, arrays: Sequence[np.ndarray], read_only: Sequence[int] = ()
) -> list[np.ndarray]:
    """Run `kernel` on copies of `arrays` (32-bit dtypes, in its order); gives them back."""
    device = load_target(target).gpu if isinstance(target, str) else target
    assert device is not None
    text = source_of("kernel_0", kernel.function(device), device, read_only)
    run = _opencl if device.language == "opencl" else _webgpu
    return run(text, arrays, kernel.groups, kernel.threads)


@cache
def _queue() -> Any:
    import pyopencl as cl

    devices = [d for p in cl.get_platforms() for d in p.get_devices()]
    context = cl.Context(devices[:1])
    return cl.CommandQueue(context)


def _opencl(text: str, arrays: Sequence[np.ndarray], groups: int, threads: int) -> list[np.ndarray]:
    import pyopencl as cl

    queue = _queue()
    program = cl.Program(queue.context, text).build(["-cl-std=CL1.2"])
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    buffers = [cl.Buffer(queue.context, flags, hostbuf=np.ascontiguousarray(a)) for a in arrays]
    program.kernel_0(queue, (groups * threads,), (threads,), *buffers)
    found = [np.empty_like(a) for a in arrays]
    for array, buffer in zip(found, buffers, strict=True):
        cl.enqueue_copy(queue, array, buffer)
    queue.finish()
    return found


@cache
def _device() -> Any:
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")
    import wgpu

    adapter = wgpu.gpu.request_adapter_sync()
    return adapter.request_device_sync(required_features=[
        f for f in ("shader-f16", "subgroup") if f in adapter.features
    ])  # fmt: skip


def _webgpu(text: str, arrays: Sequence[np.ndarray], groups: int, threads: int) -> list[np.ndarray]:
    import wgpu

    del threads
    device, usage = _device(), wgpu.BufferUsage
    text = text.replace("enable subgroups;", "")  # naga knows them without it, and refuses it
    buffers = [
        device.create_buffer_with_data(
            data=np.ascontiguousarray(a).tobytes(),
            usage=usage.STORAGE | usage.COPY_SRC | usage.COPY_DST,
        )
        for a in arrays
    ]
    pipeline = device.create_compute_pipeline(
        layout="auto",
        compute={"module": device.create_shader_module(code=text), "entry_point": "kernel_0"},
    )
    entries = [
        {"binding": i, "resource": {"buffer": b, "offset": 0, "size": b.size}}
        for i, b in enumerate(buffers)
    ]
    group = device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries)
    encoder = device.create_command_encoder()
    compute = encoder.begin_compute_pass()
    compute.set_pipeline(pipeline)
    compute.set_bind_group(0, group)
    compute.dispatch_workgroups(min(groups, 65535), 1, -(-groups // 65535))
    compute.end()
    device.queue.submit([encoder.finish()])
    return [
        np.frombuffer(bytes(device.queue.read_buffer(b)), a.dtype).reshape(a.shape)
        for a, b in zip(arrays, buffers, strict=True)
    ]
