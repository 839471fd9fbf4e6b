"""Every error that a user can cause; each message names the thing, the limit and the next step."""

from __future__ import annotations


class EdgemoeError(Exception):
    """Base of all errors that edgemoe raises on purpose.

    `exit_code` is what the command line returns: 1 for a user's error, 3 for a budget that
    cannot be met. `is_written` says that a command has put the error into its JSON.
    """

    exit_code = 1
    is_written = False


class ArtifactError(EdgemoeError):
    """An artifact is missing, damaged, of a newer format, or for another machine."""


class InputError(EdgemoeError):
    """A model input has the wrong name, shape, dtype or content."""


class DeviceError(EdgemoeError):
    """The device or an instruction set that the artifact needs is not there."""


class ToolError(EdgemoeError):
    """A tool outside Python (a C compiler, a simulator) is missing or failed."""


class RunError(EdgemoeError):
    """The compiled model reported a failure while it ran."""
