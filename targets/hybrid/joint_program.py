"""One program over two devices: operations on a CPU or a GPU, and what crosses between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import onnx_ir as ir

from edgemoe.plan import Argument, Buffer, Pointer, Region, Step, Variant
from edgemoe.precision import Precision
from edgemoe.targets import lowering, middle
from edgemoe.targets.gpu import fuse_blocks
from edgemoe.targets.gpu.caches import caches_of
from edgemoe.targets.gpu.program import GpuKernels, GpuProgram
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.program import Program
from edgemoe.targets.tuning.tunings import Tunings
from edgemoe.targets.weight_table import WeightTable

Device = Literal["cpu", "gpu"]

_HOST = {"arena": "host", "input": "host_input", "output": "host_output", "weights": "host_weights"}


@dataclass(frozen=True)
class Crossing:
    """Stands in one device's program for a tensor that goes to the other device, or comes."""

    what: Literal["send", "receive"]
    threads: int = 0
    groups: int = 0

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the tensor."""
        return ("void*",)


@dataclass
class Tables:
    """What all variants share: kernels of both devices, and the weights of each."""

    gpu_weights: WeightTable
    kernels: GpuKernels = field(default_factory=GpuKernels)
    cpu_weights: WeightTable = field(default_factory=WeightTable)


@dataclass(frozen=True)
class Joint:
    """The merged program of one variant; `owners` has the operations of every step.

    A mixer block is one step of several operations, a copy between the devices one of none.
    `blocks` and `products` are what the GPU's program counted, see `gpu.decisions_of`.
    """

    variant: Variant
    owners: tuple[tuple[int, ...], ...]
    transferred: int  # bytes in one run
    blocks: Counter[str]
    products: Counter[str]


def join(
    model: ir.Model, straight: middle.StraightList, places: Sequence[Device], tables: Tables,
    precision: Precision, tunings: Tunings, gpu: Graphics, count: int | None,
) -> Joint:  # fmt: skip
    """Lower operation i of `straight` for `places[i]`."""
    return _Join(model, straight, places, tables, precision, tunings, gpu).run(count)


class _Join:
    def __init__(
        self, model: ir.Model, straight: middle.StraightList, places: Sequence[Device],
        tables: Tables, precision: Precision, tunings: Tunings, gpu: Graphics,
    ) -> None:  # fmt: skip
        self.model, self.straight, self.places = model, straight, places
        self.tables = tables
        self.gpu_program = GpuProgram(
            tables.kernels, tables.gpu_weights, precision, tunings, device=gpu,
            caches=caches_of(model),
        )  # fmt: skip
        self.programs: dict[Device, Program] = {
            "cpu": Program(tables.kernels, tables.cpu_weights, precision, tunings),
            "gpu": self.gpu_program,
        }
        self.buffers = {
            device: lowering.Buffers(straight, program, partial(self._fetch, device))
            for device, program in self.programs.items()
        }
        self.homes: dict[int, Device] = {}
        self.sources: dict[int, int] = {}  # views, by what they are views of
        self.events: list[tuple[Device, int, tuple[int, ...]]] = []  # device, step, operations
        self.operations: tuple[int, ...] = ()

    def run(self, count: int | None) -> Joint:
        for number, operation in enumerate(self.straight.operations):
            self.operations = (number,)
            if isinstance(operation, middle.View):
                self.sources[operation.output] = operation.input
                continue
            device = self.places[number]
            for output in operation.outputs:
                self.homes[output] = device
            before = len(self.programs[device].steps)
            lowering.append(operation, self.model, self.buffers[device])
            self._note(device, before)
        self.operations = ()
        for index, number in enumerate(self.straight.outputs):
            device = self.homes.get(self._root(number), "cpu")
            before = len(self.programs[device].steps)
            self.buffers[device].bind_outputs([index])
            self._note(device, before)
        return self._merged(count, self._fused())

    def _note(self, device: Device, before: int) -> None:
        known = {(d, step) for d, step, _ in self.events}
        for step in range(before, len(self.programs[device].steps)):
            if (device, step) not in known:
                self.events.append((device, step, self.operations))

    def _fused(self) -> Counter[str]:
        """Fuse the mixer blocks of the GPU; a block runs where its last step did."""
        fused = fuse_blocks.fuse(self.gpu_program)
        stands_for = {origin: n for n, origins in enumerate(fused.origins) for origin in origins}
        owners: dict[int, tuple[int, ...]] = {}
        events: list[tuple[Device, int, tuple[int, ...]]] = []
        for device, step, operations in self.events:
            if device == "cpu":
                events.append((device, step, operations))
                continue
            number = stands_for[step]
            owners[number] = tuple(dict.fromkeys((*owners.get(number, ()), *operations)))
            if step == fused.origins[number].stop - 1:
                events.append((device, number, owners[number]))
        self.events = events
        return fused.outcome

    def _root(self, number: int) -> int:
        while number in self.sources:
            number = self.sources[number]
        return number

    def _fetch(self, device: Device, number: int) -> int | None:
        """The buffer of a value that lies elsewhere; None where the device has it, or makes it."""
        root = self._root(number)
        if root != number:
            return self.buffers[device].of(root)
        home = self.homes.get(number)
        if home is None or home == device:
            return None
        there, here = self.programs[home], self.programs[device]
        source = self.buffers[home].of(number)
        value = self.straight.values[number]
        target = here.buffer(value.name, value.dtype, value.shape)
        nbytes = max(there.buffers[source].nbytes, here.buffers[target].nbytes)
        for program, owner, buffer, what in (
            (there, home, source, "send"), (here, device, target, "receive"),
        ):  # fmt: skip
            step = program.step(
                Crossing(what), what, [Pointer(buffer)],  # type: ignore[arg-type]
                label=f"{value.name} to the {device}", nbytes=nbytes,
                reason="computed on the other device",
            )  # fmt: skip
            self.events.append((owner, step, ()))
        return target

    def _merged(self, count: int | None, blocks: Counter[str]) -> Joint:
        """Both programs as one list of steps over one list of buffers."""
        finished = {
            "cpu": self.programs["cpu"].finish(count),
            "gpu": self.programs["gpu"].finish(count, self.tables.gpu_weights.alignment),
        }
        first = len(finished["cpu"].buffers)
        start = {"cpu": 0, "gpu": first}
        steps: list[Step] = []
        owners: list[tuple[int, ...]] = []
        place: dict[tuple[Device, int], int] = {}
        transferred = 0
        templates = self.tables.kernels.templates
        for device, number, operations in self.events:
            step = _moved(finished[device].steps[number], start[device])
            if templates[step.kernel] == "receive":
                # It follows what was sent; together they are one transfer.
                sent = steps[-1]
                name = "upload" if device == "gpu" else "download"
                steps[-1] = replace(sent, kernel=name, arguments=(*sent.arguments, *step.arguments))
                transferred += step.nbytes
                place[device, number] = len(steps) - 1
                continue
            place[device, number] = len(steps)
            steps.append(step)
            owners.append(operations)
        buffers = [
            replace(
                _placed(buffer, device, start[device]),
                first=place.get((device, buffer.first), -1),
                last=place.get((device, buffer.last), -1),
            )
            for device in ("cpu", "gpu") for buffer in finished[device].buffers
        ]  # fmt: skip
        regions = [
            _region(region, start[device], place[device, region.routed_at])
            for device in ("cpu", "gpu") for region in finished[device].regions
        ]  # fmt: skip
        numbers = {
            (device, number): new
            for new, (device, number) in enumerate(
                (d, n) for d in ("cpu", "gpu") for n in range(len(finished[d].regions))
            )
        }
        device_of = {n: d for (d, s), n in place.items()}
        steps = [
            step if step.region is None
            else replace(step, region=numbers[device_of[i], step.region])
            for i, step in enumerate(steps)
        ]  # fmt: skip
        variant = Variant(
            count, tuple(buffers), tuple(steps), tuple(regions), finished["gpu"].arena_bytes,
            finished["gpu"].lower_bound_bytes, (), finished["cpu"].arena_bytes,
        )  # fmt: skip
        return Joint(variant, tuple(owners), transferred, blocks, self.gpu_program.products)


def _moved(step: Step, start: int) -> Step:
    arguments: tuple[Argument, ...] = tuple(
        replace(a, buffer=a.buffer + start) if isinstance(a, Pointer) else a for a in step.arguments
    )
    follows = None if step.tasks_from is None else step.tasks_from + start
    return replace(step, arguments=arguments, tasks_from=follows)


def _placed(buffer: Buffer, device: Device, start: int) -> Buffer:
    shares = None if buffer.shares is None else buffer.shares + start
    where = _HOST[buffer.where] if device == "cpu" else buffer.where
    return replace(buffer, shares=shares, where=where)  # type: ignore[arg-type]


def _region(region: Region, start: int, routed_at: int) -> Region:
    return replace(region, buffer=region.buffer + start, routed_at=routed_at)
