"""What the machine can do at best, and what share of it a contestant reaches.

Bandwidth is measured on a buffer as large as the weights that the case reads, because a layer may
fit in a cache. Peaks count 2 operations per multiply-add: float32 FMA for weights of 16 bits and
more, int8 products for fewer, by the instruction that this CPU has.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.contestant import Kit

SECONDS = 0.3


class Roofline:
    """The functions of roofline.c; every thread works on data of its own."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "roofline.so"
            source = Path(__file__).with_name("roofline.c")
            flags = ["-O3", "-march=native", "-shared", "-fPIC"]
            subprocess.run(["cc", *flags, str(source), "-o", str(path)], check=True)
            library = ctypes.CDLL(str(path))
        for name in ("read_gbps", "f32_gflops", "int8_gops"):
            getattr(library, name).restype = ctypes.c_double
        library.int8_instruction.restype = ctypes.c_char_p
        self.library = library
        self.int8_instruction: str = library.int8_instruction().decode()

    def read_gbps(self, nbytes: int, threads: int) -> float:
        """GB/s (10^9) of reading `nbytes` again and again, each thread its part of them."""
        part = max(1024, nbytes // threads // 1024 * 1024)
        return _summed(threads, lambda: self.library.read_gbps(ctypes.c_size_t(part), _seconds()))

    def f32_gflops(self, threads: int) -> float:
        """GFLOP/s of float32 multiply-add."""
        return _summed(threads, lambda: self.library.f32_gflops(_seconds()))

    def int8_gops(self, threads: int) -> float:
        """GOP/s of int8 multiply-add; 0 where no instruction is known."""
        return _summed(threads, lambda: self.library.int8_gops(_seconds()))


def _seconds() -> ctypes.c_double:
    return ctypes.c_double(SECONDS)


def _summed(threads: int, measure: Callable[[], float]) -> float:
    with ThreadPoolExecutor(threads) as pool:
        return sum(job.result() for job in [pool.submit(measure) for _ in range(threads)])


@cache
def roofline() -> Roofline | None:
    """The compiled micro-benchmark; None without a C compiler."""
    try:
        return Roofline()
    except (OSError, subprocess.CalledProcessError):
        return None


@dataclass(frozen=True)
class Work:
    """What one call of an MoE layer has to do."""

    weights: int  # weights read: those of the experts that any token chose, and of the shared one
    macs: int  # multiply-adds of the chosen experts

    @classmethod
    def of(cls, kit: Kit) -> Work | None:
        """Count the experts that the inputs of the case choose; None for other workloads."""
        moe = kit.case.moe
        if moe is None or not kit.case.is_layer:
            return None
        logits = kit.inputs()["x"] @ kit.weights()["router"].T
        active = len(np.unique(np.argsort(-logits, axis=1)[:, : moe.chosen]))
        one = 3 * moe.hidden * moe.inner
        every = int(moe.shared)
        return cls(one * (active + every), one * kit.case.size * (moe.chosen + every))


@dataclass(frozen=True)
class Roof:
    """The limits of a case for weights of some bits."""

    nbytes: float
    read_gbps: float
    operations: int
    peak_gops: float

    def bandwidth_share(self, microseconds: float) -> float:
        """Bytes of active weights per time, over the measured bandwidth."""
        return self.nbytes / (microseconds * 1e3) / self.read_gbps

    def peak_share(self, microseconds: float) -> float:
        """Operations of the chosen experts per time, over the measured peak."""
        return self.operations / (microseconds * 1e3) / self.peak_gops


def roof_of(work: Work, bits: int, threads: int) -> Roof | None:
    """Measure the limits now, so that they have the same minutes as the contestants."""
    machine = roofline()
    if machine is None:
        return None
    peak = machine.f32_gflops(threads) if bits >= 16 else machine.int8_gops(threads)
    nbytes = work.weights * bits // 8
    if peak == 0:
        return None
    return Roof(nbytes, machine.read_gbps(nbytes, threads), 2 * work.macs, peak)
