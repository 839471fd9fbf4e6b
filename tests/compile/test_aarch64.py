"""A whole model cross-compiled: its C example gives the numbers of the host, under QEMU."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest

import edgemoe

MODELS = {
    "digits": ("edgemoe.models.digits_mixer:digits", None),
    "char_moe": ("edgemoe.models.moe_lm:char_moe", [8]),
}


def example(folder, compiler, *runner):
    """Link the artifact's own example against its library, run it, return what it prints."""
    program = folder / "example"
    subprocess.run(
        [compiler, "-std=c11", "-O2", "-o", program, folder / "src/example.c",
         folder / "model.so", f"-Wl,-rpath,{folder}"],
        check=True, capture_output=True,
    )  # fmt: skip
    done = subprocess.run(
        [*runner, program, folder], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


def numbers(text):
    """The decimal numbers of the printed outputs."""
    return np.array([float(x) for x in re.findall(r"-?\d+\.\d+(?:e[-+]\d+)?", text)])


@pytest.mark.needs("aarch64-linux-gnu-gcc")
@pytest.mark.needs("qemu-aarch64")
@pytest.mark.parametrize("name", MODELS)
def test_example_prints_the_numbers_of_the_host(name, tmp_path):
    factory, tokens = MODELS[name]
    host = edgemoe.compile(factory, out=tmp_path / "host", tokens=tokens, cpu="native")
    arm = edgemoe.compile(factory, target="aarch64", out=tmp_path / "arm", tokens=tokens)
    assert arm.manifest["machine"] == "aarch64" and arm.plan.isas == ("aarch64",)
    here = example(host.path, "cc")
    there = example(
        arm.path, "aarch64-linux-gnu-gcc", "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"
    )
    one, other = numbers(here), numbers(there)
    assert len(one) >= 8 and one.shape == other.shape
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4)
