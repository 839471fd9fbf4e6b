"""Which GPU devices this machine has, and why a family has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgemoe.runtime.errors import DeviceError
from edgemoe.runtime.gpu_device import DeviceInfo, chosen


@dataclass(frozen=True)
class Devices:
    """What was found; `notes` says per family why there is none."""

    devices: tuple[DeviceInfo, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"devices": [info.to_dict() for info in self.devices], "notes": list(self.notes)}


def gpu_devices() -> Devices:
    """List the devices of both families; a missing package or driver is a note, no error."""
    from edgemoe.runtime.gpu_opencl import list_opencl
    from edgemoe.runtime.gpu_webgpu import list_webgpu

    devices: list[DeviceInfo] = []
    notes: list[str] = []
    for family, look in (("opencl", list_opencl), ("webgpu", list_webgpu)):
        try:
            found = look()
        except DeviceError as error:
            notes.append(f"{family}: {error}")
            continue
        devices += found
        if not found:
            notes.append(f"{family}: no device; install the driver of your GPU (docs/gpu.md)")
    return Devices(tuple(devices), tuple(notes))


def has_device(family: str, *, threads: int = 1, local_bytes: int = 0, fp16: bool = False) -> bool:
    """Tell whether `load` would find a device of a family, "opencl" or "webgpu", with this much."""
    found = [info for info in gpu_devices().devices if info.family == family]
    if not found:
        return False
    info = chosen(found, None, family)
    return info.threads >= threads and info.local_bytes >= local_bytes and info.fp16 >= fp16
