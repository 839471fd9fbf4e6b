"""Kernels of an artifact by what distinguishes them, and where kernels are looked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from edgemoe.plan import Kernel
from edgemoe.targets.kernels.tile import Built
from edgemoe.targets.spec import Isa


class KernelSpec(Protocol):
    """What distinguishes one kernel from another: frozen, hashable, knows how to build itself."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the parameters before the tasks."""

    def build(self, name: str, isa: Isa) -> Built:
        """The kernel for one instruction set."""


def uses_of(spec: KernelSpec) -> tuple[str, ...]:
    """The dot products of an instruction set (`spec.DOTS`) that a kernel depends on."""
    return tuple(getattr(spec, "uses", ()))


@dataclass
class KernelTable:
    """The kernels of an artifact, shared by all variants; equal ones exist once."""

    names: dict[KernelSpec, str] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)

    def name_of(self, spec: KernelSpec, template: str) -> str:
        """The name of `spec`, given at its first use."""
        if spec not in self.names:
            count = sum(1 for name in self.templates if self.templates[name] == template)
            name = f"{template}_{count}"
            self.names[spec] = name
            self.templates[name] = template
        return self.names[spec]

    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels as the plan lists them."""
        return tuple(
            Kernel(name, spec.parameters, self.templates[name], uses_of(spec))
            for spec, name in self.names.items()
        )


@dataclass(frozen=True)
class KernelSource:
    """Where kernels are looked for: `packages`, later ones first, `without` some modules."""

    packages: tuple[str, ...]
    without: frozenset[str] = frozenset()
