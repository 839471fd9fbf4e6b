"""What devices of every interface share: opened once per process, with errors of one kind."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar, cast

from edgemoe.runtime.errors import DeviceError, EdgemoeError
from edgemoe.runtime.gpu_device import DeviceInfo, chosen
from edgemoe.runtime.gpu_memory import padded, too_little
from edgemoe.runtime.gpu_program import Kernel

Cause = Literal["memory", "lost", "other"]
Opened = TypeVar("Opened", bound="OpenedDevice")

_LOG_LINES = 15
_opened: dict[str, OpenedDevice] = {}
_opening = threading.Lock()


def open_once(
    found: Sequence[tuple[DeviceInfo, Any]],
    number: int | None,
    check: Callable[[DeviceInfo], None],
    make: Callable[[DeviceInfo, Any], Opened],
    family: str,
) -> Opened:
    """Open a device of those that were found, or the first GPU; a process opens each once.

    Args:
        found: descriptions with the handles that `make` takes; not empty.
        number: which one; None: the first GPU, else the first.
        check: may refuse the device by raising DeviceError.
        make: opens it.
        family: "opencl" or "webgpu", for the error.

    Raises:
        DeviceError: there is no such device, or it is refused.
    """
    info = chosen([info for info, _ in found], number, family)
    check(info)
    with _opening:
        if info.spec not in _opened:
            _opened[info.spec] = make(info, found[info.number][1])
        return cast("Opened", _opened[info.spec])


class OpenedDevice(ABC):
    """The part of `gpu_device.Device` that no interface changes."""

    language: str  # of kernels, for errors

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info
        self.kernels_built = self.kernels_cached = 0

    @abstractmethod
    def _caught(self) -> type[Exception]:
        """The errors of the interface."""

    @abstractmethod
    def _cause(self, error: Exception, text: str) -> Cause:
        """What an error of the interface means; `text` is its message on one line."""

    @abstractmethod
    def _new(self, nbytes: int) -> Any:
        """A buffer of zeros."""

    @contextlib.contextmanager
    def _errors(self, doing: str, nbytes: int = 0) -> Iterator[None]:
        """Turn errors of the interface into ours."""
        try:
            yield
        except EdgemoeError:
            raise
        except self._caught() as error:
            raise self._error(error, doing, nbytes) from error

    def _error(self, error: Exception, doing: str, nbytes: int) -> DeviceError:
        text = " ".join(str(error).split())
        cause = self._cause(error, text)
        where = f"{self.info.name} ({self.info.spec})"
        if cause == "memory":
            return too_little(self.info, doing, nbytes)
        if cause == "lost":
            _opened.pop(self.info.spec, None)
            return DeviceError(
                f"{where} is lost ({text[:200]}); load the artifact again, and look whether the "
                "driver was reset (edgemoe targets --devices)"
            )
        return DeviceError(
            f"{where} cannot {doing}: {text[:1000]}; run edgemoe verify, try another device "
            "(edgemoe targets --devices), and report it"
        )

    def _refusal(self, kernel: Kernel, error: Exception) -> DeviceError:
        """The error for a kernel that the compiler does not take, with the start of its log."""
        log = "\n  ".join(str(error).strip().splitlines()[:_LOG_LINES])
        return DeviceError(
            f"the {self.language} compiler of {self.info.name} ({self.info.spec}, driver "
            f"{self.info.driver}) refuses kernel '{kernel.name}':\n  {log}\ntry another device "
            "(edgemoe targets --devices), and report it"
        )

    def allocate(self, nbytes: int, what: str) -> Any:
        """See `Device`."""
        doing, size = f"hold {what}", max(4, padded(nbytes))
        if size > self.info.buffer_bytes:
            raise too_little(self.info, doing, size)
        with self._errors(doing, size):
            return self._new(size)
