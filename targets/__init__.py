"""Targets: one TOML per device, one file per target family."""

from edgemoe.targets.spec import Isa, TargetSpec, catalogue, load_target

__all__ = ["Isa", "TargetSpec", "catalogue", "load_target"]
