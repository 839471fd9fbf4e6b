"""Errors of the compiler; those that a running model can raise come from the runtime."""

from __future__ import annotations

from edgemoe.runtime.errors import (
    ArtifactError,
    DeviceError,
    EdgemoeError,
    InputError,
    RunError,
    ToolError,
)

__all__ = [
    "ArtifactError",
    "BudgetError",
    "CheckError",
    "DeviceError",
    "EdgemoeError",
    "ExportError",
    "InputError",
    "IntegerError",
    "ModelError",
    "OptionError",
    "RunError",
    "StrictError",
    "TargetError",
    "ToolError",
    "TuningError",
    "UnsupportedOpError",
]


class ModelError(EdgemoeError):
    """The model file cannot be read, or is not a valid model."""


class ExportError(ModelError):
    """A PyTorch module could not be exported, or the export lost something."""


class UnsupportedOpError(ModelError):
    """The model uses an operator that cannot be lowered; names op, node and PyTorch path."""


class IntegerError(ModelError):
    """No scales let the sums of an operator fit the integers that hold them."""


class TargetError(EdgemoeError):
    """The target is unknown, or cannot run what the model needs."""


class OptionError(EdgemoeError):
    """An option has a value that does not fit this model or target."""


class TuningError(EdgemoeError):
    """A file of tuned kernels cannot be read, written, or does not fit the target."""


class CheckError(EdgemoeError):
    """A pass or a kernel changed the numbers by more than it declared."""


class StrictError(EdgemoeError):
    """`--strict`: something was skipped, fell back or was not seen."""


class BudgetError(EdgemoeError):
    """A budget of bytes or accuracy cannot be met."""

    exit_code = 3
