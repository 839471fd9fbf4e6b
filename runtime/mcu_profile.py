"""How many instructions each step of a microcontroller's model takes, counted in an emulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgemoe.runtime.errors import ArtifactError, DeviceError, InputError
from edgemoe.runtime.manifest import check_files, inside, read_manifest
from edgemoe.runtime.mcu_arrays import prepared
from edgemoe.runtime.mcu_qemu import QemuDevice
from edgemoe.runtime.package import unpack
from edgemoe.runtime.selftest import read_cases

Array = NDArray[Any]


@dataclass(frozen=True)
class StepCount:
    """One step; `instructions` is the mean per run, `per_mac` is None where nothing multiplies.

    `macs` and `nbytes` are the plan's worst case: all experts used.
    """

    step: int
    label: str
    kernel: str
    origin: str
    instructions: float
    share: float
    macs: int
    nbytes: int
    per_mac: float | None


@dataclass(frozen=True)
class McuProfile:
    """What `profile_mcu` counted: instructions, which are not cycles."""

    name: str
    target: str
    isa: str
    device: str
    runs: int
    instructions: float
    macs: int
    steps: tuple[StepCount, ...]
    memory: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"unit": "instructions", **asdict(self)}


def is_mcu(path: Path) -> bool:
    """Tell whether an artifact is one for a microcontroller; False where it is none at all."""
    folder = unpack(path) if path.is_file() else path
    return folder.is_dir() and read_manifest(folder).family == "mcu"


def profile_mcu(
    path: Path, inputs: Mapping[str, Array] | None = None, *, device: str = "qemu", runs: int = 20
) -> McuProfile:
    """Run `runs` times in the emulator, each from fresh states, and count per step.

    Args:
        path: the artifact.
        inputs: an array per input that is no state; None takes the self-test's.
        device: "qemu"; a host counts no instructions of another core.
        runs: the timer of some cores ticks every 40 instructions; the mean of many runs does not.

    Raises:
        DeviceError: another device.
        InputError: the inputs do not fit.
        ToolError: the cross compiler or the emulator is missing.
    """
    if device != "qemu":
        raise DeviceError(
            f"--device {device} counts no instructions of the core; profile with --device qemu"
        )
    if runs < 1:
        raise InputError(f"{runs} runs were asked for; give at least 1")
    folder = unpack(path) if path.is_file() else path
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    plan = json.loads(inside(folder, "plan.json").read_text("utf-8"))
    if inputs is None:
        cases = read_cases(folder)
        if not cases:
            raise ArtifactError(f"{path} has no self-test; give --inputs F.npz")
        inputs = cases[0].inputs
    arrays, _, _ = prepared(manifest.inputs, inputs, strict=False)
    steps = plan["variants"][0]["steps"]
    machine = QemuDevice(folder, manifest, profiled=True)
    try:
        counts = machine.profile(arrays, runs, len(steps))
    finally:
        machine.close()
    total = sum(counts)
    return McuProfile(
        manifest.name, manifest.target, manifest.isas[0], device, runs, total,
        sum(step["macs"] for step in steps),
        tuple(
            StepCount(
                number, step["label"], step["kernel"], step["origin"], count,
                count / total if total else 0.0, step["macs"], step["nbytes"],
                count / step["macs"] if step["macs"] else None,
            )
            for number, (step, count) in enumerate(zip(steps, counts, strict=True))
        ),
        manifest.data["memory"],
    )  # fmt: skip
