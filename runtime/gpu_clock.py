"""Nanoseconds of every step on a WebGPU device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np


def encode(run: Any, step: Any) -> None:
    """Add a recorded step to a compute pass."""
    pipeline, group, size = step
    run.set_pipeline(pipeline)
    run.set_bind_group(0, group)
    run.dispatch_workgroups(*size)


def stamped(wgpu: Any, device: Any, steps: Sequence[Any]) -> list[int]:
    """Run every step in a pass of its own, with time stamps at its begin and end."""
    if not steps:
        return []
    usage, count = wgpu.BufferUsage, 2 * len(steps)
    stamps = device.create_query_set(type="timestamp", count=count)
    resolved = device.create_buffer(size=8 * count, usage=usage.QUERY_RESOLVE | usage.COPY_SRC)
    encoder = device.create_command_encoder()
    for number, step in enumerate(steps):
        run = encoder.begin_compute_pass(
            timestamp_writes={
                "query_set": stamps,
                "beginning_of_pass_write_index": 2 * number,
                "end_of_pass_write_index": 2 * number + 1,
            }
        )
        encode(run, step)
        run.end()
    encoder.resolve_query_set(stamps, 0, count, resolved, 0)
    device.queue.submit([encoder.finish()])
    pairs = np.frombuffer(device.queue.read_buffer(resolved), np.uint64).reshape(-1, 2)
    resolved.destroy()
    # A driver may stamp the end of a pass before its begin; that is no time.
    return [max(0, int(end) - int(begin)) for begin, end in pairs]


def waited(device: Any, recording: Sequence[Any]) -> list[int]:
    """Submit every step alone and wait for it: its submission is part of its time."""
    times = []
    for number in range(len(recording)):
        device.finish()
        start = time.perf_counter_ns()
        device.submit(recording, (), first=number, last=number + 1)
        device.finish()
        times.append(time.perf_counter_ns() - start)
    return times
