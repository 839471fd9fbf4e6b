"""Targets: one TOML per device, one file per target family."""

from __future__ import annotations

import importlib
from typing import Any

from edgemoe.errors import TargetError
from edgemoe.targets.spec import Isa, TargetSpec, catalogue, load_target

__all__ = ["Isa", "TargetSpec", "catalogue", "family_of", "load_target"]

FAMILIES = {"cpu": "cpu", "mcu": "mcu", "opencl": "gpu", "webgpu": "gpu", "hybrid": "hybrid"}
"""Families of targets, and the module that lowers for each."""


def family_of(spec: TargetSpec) -> Any:
    """The module that lowers for a family of targets and writes its artifacts.

    Raises:
        TargetError: the target file names a family that there is not.
    """
    if spec.family not in FAMILIES:
        raise TargetError(
            f"target {spec.name} is of family '{spec.family}'; there are {', '.join(FAMILIES)}"
        )
    return importlib.import_module(f"edgemoe.targets.{FAMILIES[spec.family]}")
