"""Times every operation of a model on either device, and copies between them, by running them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.plan import Plan, TensorInfo
from edgemoe.targets.hybrid.joint_program import Joint
from edgemoe.targets.hybrid.placement import Link

RUNS = 5
"""Timed runs of a model on each device; the median counts."""

_LARGE = 1 << 20


@dataclass(frozen=True)
class Measured:
    """Seconds of every operation.

    `together` are operations that ran as one step; each is given its share of the time.
    """

    seconds: tuple[float, ...]
    link: Link
    together: tuple[tuple[int, ...], ...] = ()


def infos_of(graph: ir.Graph, states: Sequence[TensorInfo]) -> tuple[list[TensorInfo], ...]:
    """Inputs and outputs of a static graph, with its states."""
    outputs = {x.name: x.state_output for x in states}

    def info(value: ir.Value) -> TensorInfo:
        assert value.dtype is not None
        shape = tuple(int(d) for d in graph_facts.shape_of(value) or ())
        dtype = str(value.dtype.numpy().name)
        return TensorInfo(str(value.name), dtype, shape, None, outputs.get(str(value.name)))

    return [info(v) for v in graph.inputs], [info(v) for v in graph.outputs]


def measure(
    plan: Plan, joint: Joint, operations: int, write: Callable[[Path], Any], folder: Path
) -> Measured:
    """Run a program that is on one device (but for states) and time its operations."""
    from edgemoe.runtime.session import load

    write(folder)
    feed = {x.name: _example(x) for x in plan.inputs if x.state_output is None}
    with load(folder, verify=False) as session:
        session.run(feed)
        walls, times = [], []
        for _ in range(RUNS):
            begun = time.perf_counter()
            session.run(feed)
            walls.append(time.perf_counter() - begun)
            times.append([ns for _, _, ns in session.run_timed(feed)])
        per_step = [statistics.median(column) * 1e-9 for column in zip(*times, strict=True)]
        # What a launch costs beyond the device's own clock.
        rest = max(0.0, statistics.median(walls) - sum(per_step)) / max(1, len(per_step))
        link = _link(session)
    seconds = [0.0] * operations
    for step, owners in enumerate(joint.owners):
        for owner in owners:
            seconds[owner] += (per_step[step] + rest) / len(owners)
    together = tuple(owners for owners in joint.owners if len(owners) > 1)
    return Measured(tuple(seconds), link, together)


def _example(info: TensorInfo) -> np.ndarray:
    if info.dtype.startswith("float"):
        chance = np.random.default_rng(0)
        return chance.standard_normal(info.shape).astype(info.dtype)
    return np.zeros(info.shape, np.dtype(info.dtype))


def _link(session: Any) -> Link:
    """Copies to the GPU and back, the mean of both ways."""
    from edgemoe.runtime.gpu_device import Range

    device, spent = session._device, {}
    for nbytes in (4096, _LARGE):
        memory = device.allocate(nbytes, "a measurement")
        place, data = Range(memory, 0, nbytes), np.zeros(nbytes, np.uint8)
        found = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            device.write(place, data)
            device.finish()
            device.submit([], [place]).wait()
            found.append((time.perf_counter() - begun) / 2)
        spent[nbytes] = statistics.median(found)
        device.free(memory)
    slope = max(spent[_LARGE] - spent[4096], 1e-9) / (_LARGE - 4096)
    return Link(max(spent[4096] - 4096 * slope, 0.0), 1.0 / slope)
