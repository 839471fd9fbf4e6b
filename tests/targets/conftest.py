"""Builds kernels and calls them with NumPy arrays: on this machine, and in an emulator of others.

Tests that use `isa` or `build` run for every instruction set with kernels of its own for floats;
tests of int8 products use `dot_isa`, all that have such kernels of their own, and `build_for`.
"""

from __future__ import annotations

import ctypes
import struct
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tvm import tirx

from edgemoe.targets import load_target
from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.cpu import isas_here
from edgemoe.targets.kernels import dots

HOST = [(load_target("x86-64"), isa) for isa in isas_here(load_target("x86-64"))]
EMULATED = [(load_target("aarch64"), isa) for isa in load_target("aarch64").isas]


def parameters(pairs):
    """Pairs of target and instruction set; those of the emulator need it, and a cross compiler."""
    marks = [pytest.mark.needs("qemu-aarch64"), pytest.mark.needs("aarch64-linux-gnu-gcc")]
    return [
        pytest.param(pair, id=pair[1].name, marks=marks if pair[0].emulator else ())
        for pair in pairs
    ]


@pytest.fixture(
    params=parameters([(t, i) for t, i in HOST + EMULATED if not i.bases]), scope="session"
)
def isa(request):
    return request.param


def owners(dot):
    """Those with kernels of their own for products that depend on `dot`."""
    return parameters([(t, i) for t, i in HOST + EMULATED if i.owner([dot]) == i])


@pytest.fixture(params=owners("dot"), scope="session")
def dot_isa(request):
    return request.param


class VnniByHand(dots.Vnni):
    """What `vpdpbusd` does, by other instructions: tests the templates where the CPU has none."""

    def add(self, total, codes, activations, given):
        for i in range(dots.INPUTS):
            shifted = tirx.shift_right(codes, self.word(8 * i)) if i else codes
            code = tirx.bitwise_and(shifted, self.word(255))
            total = total + code * self._byte(activations[0], i)
        return total


@pytest.fixture(scope="session")
def by_hand():
    """An instruction set of this machine with the dot product of AVX-512 VNNI by hand."""
    if not HOST:
        pytest.skip("needs an x86-64 CPU with AVX2")
    if any(isa.lanes == 16 and isa.dot == "vnni" for _, isa in HOST):
        pytest.skip("this CPU has AVX-512 VNNI, whose tests say more")
    target, isa = HOST[0]
    dots.KINDS["by hand"] = VnniByHand
    yield target, replace(isa, lanes=16, dot="by hand")
    dots.KINDS.pop("by hand")


class Native:
    """A library of this machine."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))

    def call(self, symbol, *arguments):
        getattr(self.library, symbol)(
            *(
                ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else int(a)
                for a in arguments
            )
        )


class Emulated:
    """A library of another machine, in an emulator that serves all its calls: see the C file."""

    def __init__(self, path, target):
        server = path.with_name("call_server")
        source = Path(__file__).with_name("call_server.c")
        subprocess.run([*target.compiler, "-O1", source, "-o", server, "-ldl"], check=True)
        self.process = subprocess.Popen(
            [*target.emulator, server, path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def call(self, symbol, *arguments):
        request = struct.pack("<i", len(symbol)) + symbol.encode()
        request += struct.pack("<i", len(arguments))
        seen = {}
        for i, a in enumerate(arguments):
            if not isinstance(a, np.ndarray):
                request += struct.pack("<ii", -1, int(a))
            elif a.ctypes.data in seen:
                request += struct.pack("<ii", -2, seen[a.ctypes.data][0])
            else:
                seen[a.ctypes.data] = i, a
                assert a.flags.c_contiguous
                request += struct.pack("<i", a.nbytes) + a.tobytes()
        self.process.stdin.write(request)
        self.process.stdin.flush()
        for _, a in seen.values():
            content = self.process.stdout.read(a.nbytes)
            if len(content) < a.nbytes:
                raise RuntimeError(f"{symbol}: {self.process.stderr.read().decode()}")
            if a.flags.writeable:
                a.reshape(-1).view(np.uint8)[...] = np.frombuffer(content, np.uint8)

    def close(self):
        self.process.communicate()


@pytest.fixture(scope="session")
def build_for(tmp_path_factory):
    """`build_for((target, isa), {"name": spec})` -> {"name": call}, with arrays and integers."""
    emulators = []

    def make(where, specs):
        target, isa = where
        folder = tmp_path_factory.mktemp("kernels")
        objects = compile_kernels({n: spec.build(n, isa) for n, spec in specs.items()}, isa, folder)
        path = folder / "kernels.so"
        subprocess.run([*target.compiler, "-shared", *objects, "-o", path, "-lm"], check=True)
        if target.emulator:
            emulators.append(Emulated(path, target))
        library = emulators[-1] if target.emulator else Native(path)
        return {name: partial(library.call, isa.symbol(name)) for name in specs}

    yield make
    for emulator in emulators:
        emulator.close()


@pytest.fixture(scope="session")
def build(isa, build_for):
    """As `build_for`, for the instruction set of this run."""
    return partial(build_for, isa)


def relative_rms(got, wanted):
    """Relative RMS error, computed in float64."""
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    return float(np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2)))


@pytest.fixture(scope="session")
def rms():
    return relative_rms
