"""`plan.json` of a GPU artifact as the sessions read it: kernels, buffers, steps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemoe.runtime.errors import ArtifactError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.manifest import inside

SUFFIX = {"opencl": "cl", "wgsl": "wgsl"}


@dataclass(frozen=True)
class Buffer:
    """A tensor on a device; `index` of an input or output, `offset` in arena or weights."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    where: str
    index: int
    offset: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * numpy_dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Kernel:
    """One kernel: its source text and entry point; work-groups are one-dimensional."""

    name: str
    source: str
    threads: int
    parameters: tuple[str, ...]
    read_only: tuple[int, ...]
    copies: bool = False  # from its first parameter to its second


@dataclass(frozen=True)
class Step:
    """`groups` work-groups of a kernel on buffers, in the order of its parameters."""

    kernel: str
    buffers: tuple[int, ...]
    groups: int
    label: str


@dataclass(frozen=True)
class Variant:
    """The program of one token bucket."""

    tokens: int | None
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    arena_bytes: int


@dataclass(frozen=True)
class Program:
    """What a session runs."""

    kernels: Mapping[str, Kernel]
    variants: tuple[Variant, ...]
    weights_bytes: int
    in_place: frozenset[str]  # states whose output may be the memory of the input
    pad_ok: bool

    def device_dtype(self, where: str, index: int, default: str) -> str:
        """Dtype on the device of an input or output; `default` where no step touches it."""
        for variant in self.variants:
            for buffer in variant.buffers:
                if buffer.where == where and buffer.index == index:
                    return buffer.dtype
        return default


def read_program(folder: Path, language: str) -> Program:
    """Read plan and kernels of an artifact.

    Args:
        folder: the artifact.
        language: "opencl" or "wgsl".

    Raises:
        ArtifactError: a file is missing, or the plan is none of a GPU.
    """
    try:
        return program_of(
            json.loads(inside(folder, "plan.json").read_text("utf-8")), folder, language
        )
    except (OSError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArtifactError(
            f"the plan of {folder} cannot be read ({type(error).__name__}: {error}); copy the "
            "artifact again or compile the model again"
        ) from error


def program_of(data: Mapping[str, Any], folder: Path, language: str) -> Program:
    """The program of a plan as JSON; raises what malformed data raises."""
    facts = data["facts"]
    kernels = {item["name"]: _kernel(folder, item, SUFFIX[language]) for item in data["kernels"]}
    return Program(
        kernels=kernels,
        variants=tuple(_variant(item, kernels) for item in data["variants"]),
        weights_bytes=int(data["weights_bytes"]),
        in_place=frozenset(facts.get("in_place_states", ())),
        pad_ok=bool(facts.get("pad_ok", False)),
    )


def _kernel(folder: Path, item: Mapping[str, Any], suffix: str) -> Kernel:
    name = str(item["name"])
    if not name.isidentifier():
        raise ValueError(f"kernel {name!r}")
    return Kernel(
        name=name,
        source=inside(folder, f"kernels/{name}.{suffix}").read_text("utf-8"),
        threads=int(item["threads"]),
        parameters=tuple(map(str, item["parameters"])),
        read_only=tuple(map(int, item["read_only"])),
        copies=item["template"] == "copy",
    )


def buffer_of(item: Mapping[str, Any]) -> Buffer:
    """Read a buffer of a plan."""
    return Buffer(
        name=str(item["name"]),
        dtype=str(item["dtype"]),
        shape=tuple(map(int, item["shape"])),
        where=str(item["where"]),
        index=int(item["index"]),
        offset=int(item["offset"]),
    )


def _variant(item: Mapping[str, Any], kernels: Mapping[str, Kernel]) -> Variant:
    buffers = tuple(buffer_of(b) for b in item["buffers"])
    steps = tuple(_step(step, buffers, kernels) for step in item["steps"])
    tokens = item["tokens"]
    return Variant(
        None if tokens is None else int(tokens), buffers, steps, int(item["arena_bytes"])
    )


def _step(
    item: Mapping[str, Any], buffers: tuple[Buffer, ...], kernels: Mapping[str, Kernel]
) -> Step:
    kernel = kernels[item["kernel"]]
    arguments = item["arguments"]
    numbers = tuple(int(argument["buffer"]) for argument in arguments)
    if len(numbers) != len(kernel.parameters) or any(argument["offset"] for argument in arguments):
        raise ValueError(f"step '{item['label']}' does not fit kernel '{kernel.name}'")
    if not all(0 <= number < len(buffers) for number in numbers):
        raise ValueError(f"step '{item['label']}' uses a buffer that does not exist")
    return Step(kernel.name, numbers, int(item["tasks"]), str(item["label"]))
