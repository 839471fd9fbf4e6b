"""The program of one variant for a GPU: kernels of constant sizes, tensors of 32-bit types."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from tvm import tirx

from edgemoe.errors import UnsupportedOpError
from edgemoe.memory import ALIGNMENT
from edgemoe.plan import Argument, Kernel, Pointer, Step, Variant, WeightSection
from edgemoe.targets.gpu.half_activations import chosen
from edgemoe.targets.gpu.halves import HALF, Halved, accumulators
from edgemoe.targets.gpu.narrow import stored
from edgemoe.targets.gpu.task_kernel import TaskKernel
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernel_table import KernelSource, KernelSpec, KernelTable, uses_of
from edgemoe.targets.kernels import gpu
from edgemoe.targets.kernels.gpu.call import Call, Chain
from edgemoe.targets.program import Program
from edgemoe.targets.site import Site
from edgemoe.targets.weight_table import WeightTable
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]


class GpuKernel(Protocol):
    """A kernel that was written for GPUs: frozen, hashable, of constant sizes."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of its pointers."""

    @property
    def threads(self) -> int:
        """Threads of a work-group."""

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The function with its thread bindings."""


CALL_C = (
    "block_diagonal", "blocks", "channel_mix", "depthwise_conv", "linear", "moe",
    "token_mix",
)  # fmt: skip
"""Modules of `targets/kernels` whose kernels call other functions: they do not run on a GPU."""


@cache
def stand_ins() -> dict[type, Callable[[Call], GpuKernel | Chain | None]]:
    """What stands in for a kernel on a GPU, by the kernel's class."""
    found: dict[type, Callable[[Call], GpuKernel | Chain | None]] = {}
    for info in pkgutil.iter_modules(gpu.__path__):
        module = importlib.import_module(f"{gpu.__name__}.{info.name}")
        found |= dict.fromkeys(getattr(module, "STANDS_FOR", ()), getattr(module, "stand_in", None))
    return found


@dataclass
class GpuKernels(KernelTable):
    """The kernels of an artifact; `bound` are the parameters that get more than weights."""

    bound: dict[str, set[int]] = field(default_factory=dict)

    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels as the plan lists them."""
        return tuple(
            Kernel(
                name, spec.parameters, self.templates[name], uses_of(spec),
                threads=getattr(spec, "threads", 0),  # kernels of CPUs have none
                read_only=tuple(
                    i for i in range(len(spec.parameters)) if i not in self.bound[name]
                )
                if name in self.bound else (),
            )
            for spec, name in self.names.items()
        )  # fmt: skip


@dataclass
class GpuProgram(Program):
    """A program whose kernels are `GpuKernel`s; those of tasks become them."""

    source: ClassVar[KernelSource] = KernelSource(
        ("edgemoe.targets.kernels", "edgemoe.targets.kernels.gpu"),
        frozenset(f"edgemoe.targets.kernels.{name}" for name in CALL_C),
    )
    one_task_per_element: ClassVar[bool] = True
    device: Graphics | None = None
    caches: frozenset[str] = frozenset()  # values that are narrow KV caches, stored as they are
    products: Counter[str] = field(default_factory=Counter)  # of int8 rows, why they are not
    shared: KernelTable = field(init=False)

    def __post_init__(self) -> None:
        # Which kernels there are is known when all steps are: `finish` may change them.
        self.shared, self.kernels = self.kernels, KernelTable()

    def empty(self) -> GpuProgram:
        """A program of the same kind with nothing in it."""
        return GpuProgram(
            GpuKernels(), WeightTable(alignment=self.gpu.alignment), device=self.device,
            caches=self.caches,
        )  # fmt: skip

    @property
    def gpu(self) -> Graphics:
        """Facts of the device."""
        assert self.device is not None
        return self.device

    def buffer(self, name: str, dtype: str, shape: Sequence[int], **where: Any) -> int:
        """A new buffer, of a dtype that a GPU has."""
        given = dtype if name in self.caches else stored(dtype)
        number = super().buffer(name, given, shape, **where)
        if self.buffers[number].nbytes > self.gpu.binding_bytes:
            raise UnsupportedOpError(
                f"{name} has {self.buffers[number].nbytes:,} B, the device binds "
                f"{self.gpu.binding_bytes:,} B at most\n  next: a smaller weight format, fewer "
                "--tokens, or a target file with a larger binding_bytes"
            )
        return number

    def constant(self, name: str, array: Array, role: str = "constant") -> int:
        """A buffer in the weights that holds `array` in a dtype that a GPU has."""
        wanted = np.dtype(stored(str(array.dtype)))
        if array.dtype != wanted:
            limits = np.iinfo(wanted)
            if array.size and (array.min() < limits.min or array.max() > limits.max):
                # What no 32-bit integer holds is a bound (the end of a slice): it stays one.
                array = np.clip(array, limits.min, limits.max)
            array = array.astype(wanted)
        array = np.ascontiguousarray(array)
        digest = self.weights.digest(array, lambda: array)
        section = WeightSection(name, 0, array.nbytes, role, None, str(array.dtype))
        offset = self.weights.add(("plain", digest), [(section, lambda: array)])
        return self.buffer(name, str(array.dtype), array.shape, where="weights", offset=offset)

    def words(
        self, name: str, key: tuple[object, ...],
        parts: Sequence[tuple[WeightSection, Callable[[], Array]]], dtype: str,
    ) -> int:  # fmt: skip
        """A buffer in the weights made of packed sections, as elements of `dtype`."""
        offset = self.weights.add(key, parts)
        count = sum(section.nbytes for section, _ in parts) // np.dtype(dtype).itemsize
        return self.buffer(name, dtype, (count,), where="weights", offset=offset)

    def step(
        self,
        spec: KernelSpec | GpuKernel,
        template: str,
        arguments: Sequence[Argument],
        *,
        in_place: Sequence[tuple[int, int]] = (),
        **facts: Any,
    ) -> int:
        """Append a launch; results never share bytes with operands (WebGPU refuses that)."""
        pointers = [a for a in arguments if isinstance(a, Pointer)]
        if any(p.offset or p.stride for p in pointers):
            raise AssertionError(f"{template}: a pointer into a buffer")
        if hasattr(spec, "build"):
            tasks = facts.get("tasks", 1)
            integers = tuple(a for a in arguments if not isinstance(a, Pointer))
            words = tuple(self.buffers[p.buffer].nbytes // 4 for p in pointers)
            call = Call(spec, integers, tasks, words, self.gpu)
            made = stand_ins().get(type(spec))
            found = None if made is None else made(call)
            if isinstance(found, Chain):
                return self._chain(found, pointers, facts)
            on_tasks = cast("KernelSpec", spec)
            spec = found or TaskKernel(on_tasks, integers, tasks, call.threads(tasks))
        if len(pointers) > self.gpu.storage_buffers:
            raise UnsupportedOpError(
                f"{facts.get('label', template)} binds {len(pointers)} buffers, the device "
                f"{self.gpu.storage_buffers}"
            )
        kept = {k: v for k, v in facts.items() if k not in ("tasks", "tasks_from", "rows")}
        return super().step(
            spec, template, pointers,  # type: ignore[arg-type]
            in_place=in_place if template == "copy" else (), tasks=spec.groups, **kept,
        )  # fmt: skip

    def multiplies_integers(self, given: WeightFormat, why_not: str) -> bool:
        """Tell whether a product multiplies int8, and count it with the reason where it does not.

        `why_not` is "" where kernels can; formats whose activations are floats are not counted.
        """
        if not (given.is_integer and given.int8_activations):
            return False
        self.products[why_not] += 1
        return not why_not

    def finish(self, tokens: int | None, alignment: int = ALIGNMENT) -> Variant:
        """Choose what is stored as float16, name the kernels, place temporaries and freeze."""
        if self.gpu.activations == HALF:
            steps = [entry.step for entry in self.steps]
            found = chosen(self.buffers, steps, self.kernels.templates, self.regions)
            for number in found - self._accumulators(steps):
                self.buffers[number] = replace(self.buffers[number], dtype=HALF)
        specs = {name: spec for spec, name in self.kernels.names.items()}
        for entry in self.steps:
            step, spec = entry.step, specs[entry.step.kernel]
            places = [a.buffer for a in step.arguments if isinstance(a, Pointer)]
            halves = tuple(
                i for i, (number, given) in enumerate(zip(places, spec.parameters, strict=True))
                if self.buffers[number].dtype == HALF and given in ("float*", "int32_t*")
            )  # fmt: skip
            if halves:
                spec = Halved(spec, halves)  # type: ignore[arg-type,assignment]
                saved = sum(self.buffers[n].nbytes for n in {places[i] for i in halves})
                step = replace(step, nbytes=max(0, step.nbytes - saved))
            same = len({self.buffers[n].dtype for pair in entry.in_place for n in pair}) == 1
            entry.in_place = entry.in_place if same else ()
            template = self.kernels.templates[entry.step.kernel]
            entry.step = replace(step, kernel=self.shared.name_of(spec, template))
            self._bind(entry.step.kernel, [Pointer(number) for number in places])
        return super().finish(tokens, alignment)

    def _accumulators(self, steps: Sequence[Step]) -> set[int]:
        """Buffers in which generic kernels add up or keep a maximum: they stay float32."""
        specs = {name: spec for spec, name in self.kernels.names.items()}
        positions = {
            name: accumulators(specs[name].function(self.gpu))  # type: ignore[attr-defined]
            for name in {step.kernel for step in steps}
            if self.kernels.templates[name] == "generic"
        }
        found: set[int] = set()
        for step in steps:
            places = [a.buffer for a in step.arguments if isinstance(a, Pointer)]
            found |= {places[i] for i in positions.get(step.kernel, ())}
        return found

    def _chain(self, chain: Chain, pointers: Sequence[Pointer], facts: dict[str, Any]) -> int:
        """Append the launches of a chain; the first has the costs of the call."""
        name, number = self.buffers[pointers[0].buffer].name, -1
        places = [
            *pointers,
            *(Pointer(self.buffer(f"{name}.parts{i}", "float32", (count,)))
              for i, count in enumerate(chain.temporaries)),
        ]  # fmt: skip
        for link in chain.links:
            number = self.step(
                link.kernel, link.template, [places[i] for i in link.pointers], **facts
            )
            facts = {k: v for k, v in facts.items() if k not in ("macs", "nbytes")}
            facts["label"] = f"{link.template} of {facts['label']}"
        return number

    def _bind(self, kernel: str, pointers: Sequence[Pointer]) -> None:
        assert isinstance(self.shared, GpuKernels)
        written = self.shared.bound.setdefault(kernel, set())
        written |= {i for i, p in enumerate(pointers) if self.buffers[p.buffer].where != "weights"}


def program_at(site: Site) -> GpuProgram:
    """The program of a site that a GPU kernel is asked for at."""
    assert isinstance(site.program, GpuProgram)
    return site.program
