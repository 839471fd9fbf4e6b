"""Facts of the machine that a figure depends on; reads what Linux tells, and goes without."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

FLAGS = (
    "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
"""Instruction sets that choose another kernel of ours or of a peer."""


def cpu_flags() -> list[str]:
    """Those of FLAGS that this CPU has."""
    for line in _lines("/proc/cpuinfo"):
        if line.startswith(("flags", "Features")):
            words = set(line.split(":", 1)[1].split())
            return [flag for flag in FLAGS if flag in words]
    return []


def has_vnni() -> bool:
    """Whether the CPU multiplies bytes and adds to 32 bits in one instruction."""
    return bool({"avx_vnni", "avx512_vnni", "asimddp"} & set(cpu_flags()))


def cpu_name() -> str:
    """The processor's name, as the system gives it."""
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cache_bytes() -> dict[str, int]:
    """Size of each cache that the first CPU reaches, by name: {"L1d": 32768, ..}."""
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (folder / name).read_text("utf-8").strip() for name in ("level", "type", "size")
        )
        letter = {"Data": "d", "Instruction": "i"}.get(kind, "")
        sizes[f"L{level}{letter}"] = int(size.rstrip("K")) * 1024
    return sizes


def facts() -> dict[str, Any]:
    """Everything above, for the JSON."""
    return {
        "cpu": cpu_name(),
        "flags": cpu_flags(),
        "caches": cache_bytes(),
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []
