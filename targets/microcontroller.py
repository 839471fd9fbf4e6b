"""What a target file says about a microcontroller beyond its instruction set: table `[mcu]`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ALIGNMENTS = (4, 8, 16, 32)


@dataclass(frozen=True)
class Emulator:
    """A machine of QEMU that has the core; regions are (first address, bytes).

    `vectors` is where the core looks for its first instruction or its vector table. `startup` names
    the start-up code, a file `start_<startup>.c` of `runtime/c/mcu`.
    """

    command: tuple[str, ...]
    startup: str
    vectors: int
    flash: tuple[int, int]
    ram: tuple[int, int]


@dataclass(frozen=True)
class Microcontroller:
    """Facts for the code generator, the report and the emulator.

    `link` are options for the end of the linker's command (the C library), `alignment` that of
    buffers and weights in bytes, `fpu` says whether float32 is computed in hardware.
    """

    fpu: bool
    alignment: int
    link: tuple[str, ...]
    emulator: Emulator | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the manifest."""
        return asdict(self)


def microcontroller(data: dict[str, Any]) -> Microcontroller:
    """Read the table `[mcu]`; raises KeyError, TypeError or ValueError where it is not valid."""
    alignment = int(data.get("alignment", 8))
    if alignment not in ALIGNMENTS:
        raise ValueError(f"alignment {alignment} is none of {ALIGNMENTS}")
    return Microcontroller(
        bool(data["fpu"]), alignment, tuple(data.get("link", ())),
        _emulator(data["emulator"]) if "emulator" in data else None,
    )  # fmt: skip


def _emulator(data: dict[str, Any]) -> Emulator:
    return Emulator(
        tuple(data["command"]), str(data["startup"]), int(data["vectors"]),
        _region(data["flash"]), _region(data["ram"]),
    )  # fmt: skip


def _region(data: Any) -> tuple[int, int]:
    start, nbytes = data
    return int(start), int(nbytes)
