"""Small reference models, one file per family, each with what the compiler must recognise in it.

Every file of this package has a tuple `CASES`; `cases()` collects them all. The weights are random
and seeded: these models are for recognition and for numbers, not for accuracy.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

WAYS = ("static", "dynamic", "torchscript")
"""Exports with fixed shapes, with a free number of tokens, and by torch's older exporter."""

Made = tuple[nn.Module, tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """One reference model.

    Args of the constructor:
        name: unique among all cases.
        make: returns (module in evaluation mode, example inputs).
        found: facts of every candidate that `explain` must report as matched, in any order:
            `subject` and any of its facts, as in {"subject": "experts", "E": 4, "k": 2}. Nothing
            else but routers may be matched.
        macs: module and inputs -> multiply-accumulates of the chosen (token, expert) pairs: what
            a program that skips everything else must do. None where no expert is skipped.
        dynamic: dynamic_shapes for torch.onnx.export; None where the shapes are fixed by design.
        fails: ways in which torch cannot export the module, with the reason.
        tolerance: allowed difference to torch, relative to the largest output.
    """

    name: str
    make: Callable[[], Made]
    found: tuple[Mapping[str, Any], ...] = ()
    macs: Callable[..., int] | None = None
    dynamic: Any = None
    fails: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1e-5

    @property
    def ways(self) -> tuple[str, ...]:
        """The exports that must work."""
        return tuple(
            way for way in WAYS
            if way not in self.fails and (way != "dynamic" or self.dynamic is not None)
        )  # fmt: skip


def cases() -> dict[str, Case]:
    """Return every case by name."""
    found: dict[str, Case] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for case in getattr(module, "CASES", ()):
            if case.name in found:
                raise ValueError(f"two reference models are named {case.name!r}")
            found[case.name] = case
    return found


def randomise(module: nn.Module, seed: int = 0, scale: float = 0.3) -> nn.Module:
    """Fill all parameters with seeded noise (norms too: ones and zeros hide mistakes)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.copy_(noise + float(parameter.dim() == 1))
    return module.eval()


def noise(*shape: int, seed: int = 1) -> Tensor:
    """Return seeded standard normal numbers."""
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
