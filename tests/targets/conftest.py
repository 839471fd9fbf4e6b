"""Builds kernels for the instruction sets of this machine and calls them with NumPy arrays."""

from __future__ import annotations

import ctypes
import platform
import subprocess

import numpy as np
import pytest

from edgemoe.targets import load_target
from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.cpu import isas_here

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="builds x86-64 kernels")


@pytest.fixture(params=isas_here(load_target("x86-64")), ids=lambda isa: isa.name, scope="session")
def isa(request):
    return request.param


@pytest.fixture(scope="session")
def build(isa, tmp_path_factory):
    """`build({"name": spec})` -> {"name": call}; a call takes arrays and integers in order."""
    own = isa

    def make(specs, isa=own):
        folder = tmp_path_factory.mktemp("kernels")
        objects = compile_kernels({n: spec.build(n, isa) for n, spec in specs.items()}, isa, folder)
        path = folder / "kernels.so"
        subprocess.run(["cc", "-shared", *map(str, objects), "-o", str(path), "-lm"], check=True)
        library = ctypes.CDLL(str(path))

        def wrap(name):
            function = getattr(library, isa.symbol(name))

            def call(*arguments):
                function(
                    *(
                        ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else int(a)
                        for a in arguments
                    )
                )

            return call

        return {name: wrap(name) for name in specs}

    return make


def relative_rms(got, wanted):
    """Relative RMS error, computed in float64."""
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    return float(np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2)))


@pytest.fixture(scope="session")
def rms():
    return relative_rms
