"""`TargetSpec`: what a device is, read from one TOML file."""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from edgemoe.errors import TargetError
from edgemoe.targets.graphics import Graphics, Language, graphics
from edgemoe.targets.microcontroller import Microcontroller, microcontroller
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class Isa:
    """An instruction set that kernels are generated for.

    `lanes` is the number of float32 in a vector register, `registers` how many there are. `dot`
    names the instruction for products of int8 (see `kernels/dots.py`), `bf16` that for products of
    bfloat16 (`kernels/bfloat16_dots.py`), `f16` what adds up products of float16
    (`kernels/float16_product.py`). A kernel that uses none of them, or what one of `bases` has as
    well, is that of this base. Symbols are `kernel__isa`, or `prefix_kernel` in a program that has
    one instruction set only.
    """

    name: str
    triple: str
    cpu: str
    features: tuple[str, ...]
    lanes: int
    registers: int
    dot: str = "generic"
    bf16: str = "widened"
    f16: str = "widened"
    bases: tuple[Isa, ...] = ()
    prefix: str = ""

    def symbol(self, kernel: str) -> str:
        """Name of `kernel` in the object file of this instruction set."""
        if self.prefix:
            return f"{self.prefix}_{kernel}"
        return kernel_symbol(kernel, self.name)

    def owner(self, uses: Sequence[str]) -> Isa:
        """The instruction set whose kernel this one has; `uses` are `DOTS` that the kernel uses."""
        for base in self.bases:
            if all(getattr(self, dot) == getattr(base, dot) for dot in uses):
                return base.owner(uses)
        return self

    def symbol_of(self, kernel: str, uses: Sequence[str]) -> str:
        """Name of `kernel` in the objects where this instruction set finds it."""
        return self.owner(uses).symbol(kernel)


DOTS = ("dot", "bf16", "f16")
"""Fields of `Isa` that kernels may depend on, and share where they are equal."""


def dots_of(given: WeightFormat) -> tuple[str, ...]:
    """The dot products of an instruction set (`DOTS`) that the product depends on."""
    if given.half_activations:
        return ("bf16",) if given.kind == "bfloat16" else ("f16",)
    return ("dot",) if given.int8_activations else ()


def isa_identifier(isa: str) -> str:
    """Return the C identifier of an instruction set: `x86-64-v3` -> `x86_64_v3`."""
    return re.sub(r"\W", "_", isa, flags=re.ASCII)


def kernel_symbol(kernel: str, isa: str) -> str:
    """Return the symbol of a kernel in the objects of one instruction set."""
    return f"{kernel}__{isa_identifier(isa)}"


def kernel_owners(spec: TargetSpec) -> dict[str, dict[str, str]]:
    """By instruction set and by what a kernel uses ("", "bf16", ...): whose kernel it has."""
    sets = [used for n in range(len(DOTS) + 1) for used in combinations(sorted(DOTS), n)]
    return {
        isa.name: {" ".join(used): isa.owner(used).name for used in sets}
        for isa in spec.isas if isa.bases
    }  # fmt: skip


LANGUAGES: dict[str, Language] = {"opencl": "opencl", "webgpu": "wgsl"}
"""Families of GPUs by the language of their kernels."""


@dataclass(frozen=True)
class TargetSpec:
    """One device: its family, instruction sets (best last) and C compiler.

    A GPU has one instruction set, named as its language, and no compiler: its driver has one. A
    target such as `cpu+opencl` has two `parts`, a CPU and a GPU, which share the work.
    """

    name: str
    family: str
    summary: str
    architecture: str
    isas: tuple[Isa, ...]
    compiler: tuple[str, ...]
    emulator: tuple[str, ...] = ()
    mcu: Microcontroller | None = None
    gpu: Graphics | None = None
    parts: tuple[TargetSpec, ...] = ()


def load_target(name: str) -> TargetSpec:
    """Read a target by its name or from a TOML file.

    Raises:
        TargetError: there is no such target, or the file does not describe one.
    """
    if "+" in name:
        return _both(name)
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise TargetError(f"target file {name} does not exist")
        return _read(path)
    if name == "cpu":
        name = {"x86_64": "x86-64", "aarch64": "aarch64", "arm64": "aarch64"}.get(
            platform.machine(), platform.machine()
        )
    for spec in catalogue():
        if spec.name == name:
            return spec
    known = ", ".join(["cpu", *(spec.name for spec in catalogue())])
    raise TargetError(f"unknown target '{name}'; known targets: {known}, or a path to a .toml file")


def _both(name: str) -> TargetSpec:
    """A CPU and a GPU together."""
    parts = tuple(load_target(part) for part in name.split("+"))
    cpus = [part for part in parts if part.family == "cpu"]
    gpus = [part for part in parts if part.gpu is not None]
    if len(parts) != 2 or len(cpus) != 1 or len(gpus) != 1:
        raise TargetError(
            f"target {name} is no CPU and GPU together; give one of each, such as cpu+opencl"
        )
    (cpu,), (gpu,) = cpus, gpus
    return TargetSpec(
        name=f"{cpu.name}+{gpu.name}", family="hybrid",
        summary=f"{cpu.name} and {gpu.name}, each layer where it is faster",
        architecture=cpu.architecture, isas=cpu.isas, compiler=cpu.compiler, gpu=gpu.gpu,
        parts=(cpu, gpu),
    )  # fmt: skip


@cache
def catalogue() -> tuple[TargetSpec, ...]:
    """All targets that ship, by name."""
    return tuple(_read(path) for path in sorted(Path(__file__).parent.glob("*.toml")))


def _isas(tables: Sequence[dict[str, Any]]) -> tuple[Isa, ...]:
    """The instruction sets of a file; bases stand before what has them."""
    found: dict[str, Isa] = {}
    for isa in tables:
        bases = tuple(isa.get("bases", ()))
        for base in bases:
            if base not in found:
                raise ValueError(f"{isa['name']}: base {base} is no instruction set before it")
        found[isa["name"]] = Isa(
            name=isa["name"],
            triple=isa["triple"],
            cpu=isa["cpu"],
            features=tuple(isa.get("features", ())),
            lanes=isa["lanes"],
            registers=isa["registers"],
            dot=isa.get("dot", "generic"),
            bf16=isa.get("bf16", "widened"),
            f16=isa.get("f16", "widened"),
            bases=tuple(found[base] for base in bases),
        )
    return tuple(found.values())


def _read(path: Path) -> TargetSpec:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text())
        isas = _isas(data.get("isa", ()))
        language = LANGUAGES.get(data["family"])
        if language is not None:
            return TargetSpec(
                name=data["name"], family=data["family"], summary=data["summary"],
                architecture=language, isas=(Isa(language, "", "", (), 1, 16),), compiler=(),
                gpu=graphics(data["gpu"], language),
            )  # fmt: skip
        if not isas:
            raise ValueError("there is no table [[isa]]")
        return TargetSpec(
            name=data["name"],
            family=data["family"],
            summary=data["summary"],
            architecture=data["architecture"],
            isas=isas,
            compiler=tuple(data["compiler"]),
            emulator=tuple(data.get("emulator", ())),
            mcu=microcontroller(data["mcu"]) if "mcu" in data else None,
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise TargetError(f"target file {path} is not valid: {error!r}") from error
