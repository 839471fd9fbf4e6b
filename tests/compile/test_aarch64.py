"""Whole models cross-compiled: their C examples give the numbers of the host, under QEMU."""

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


ISAS = (
    "aarch64", "aarch64+dotprod", "aarch64+dotprod+fullfp16", "aarch64+dotprod+i8mm",
    "aarch64+dotprod+fullfp16+i8mm+bf16",
)  # fmt: skip

CPUS = ("cortex-a53", "cortex-a76", "max")
"""What the emulator calls a CPU that has the first, the third and the last as its best."""

EMULATOR = ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")

CHOICE = """
#include "edgemoe.h"
#include <stdio.h>
int main(int argc, char **argv)
{
    em_model *model;
    if (em_open(argv[argc - 1], NULL, &model) != EM_OK) {
        puts(em_last_error());
        return 1;
    }
    puts(em_isa_name(model));
    em_close(model);
    return 0;
}
"""


def example(folder, compiler, *runner):
    """Link the artifact's own example against its library, run it, return what it prints."""
    program = folder / "example"
    link(compiler, folder, folder / "src/example.c", program)
    done = subprocess.run(
        [*runner, program, folder], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


def link(compiler, folder, source, program):
    subprocess.run(
        [compiler, "-std=c11", "-O2", "-I", folder / "src", "-o", program, source,
         folder / "model.so", f"-Wl,-rpath,{folder}"],
        check=True, capture_output=True,
    )  # fmt: skip


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
    assert arm.manifest["machine"] == "aarch64" and arm.plan.isas == ISAS
    here = example(host.path, "cc")
    there = example(arm.path, "aarch64-linux-gnu-gcc", *EMULATOR)
    one, other = numbers(here), numbers(there)
    assert len(one) >= 8 and one.shape == other.shape
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def int8(tmp_path_factory):
    """An artifact with int8 products, its example, and a program that says what it opens with."""
    folder = tmp_path_factory.mktemp("int8")
    model = edgemoe.compile(
        MODELS["char_moe"][0], target="aarch64", out=folder / "arm", tokens=[8], precision="i8"
    )
    (folder / "choice.c").write_text(CHOICE)
    for source in (folder / "choice.c", model.path / "src/example.c"):
        link("aarch64-linux-gnu-gcc", model.path, source, folder / source.stem)
    return folder


def run(folder, program, cpu, **environment):
    return subprocess.run(
        [*EMULATOR, "-cpu", cpu, *(x for k, v in environment.items() for x in ("-E", f"{k}={v}")),
         folder / program, folder / "arm"],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.needs("aarch64-linux-gnu-gcc")
@pytest.mark.needs("qemu-aarch64")
def test_the_cpu_chooses_the_instruction_set(int8):
    chosen = [run(int8, "choice", cpu).stdout.strip() for cpu in CPUS]
    assert tuple(chosen) == ISAS[::2]


@pytest.mark.needs("aarch64-linux-gnu-gcc")
@pytest.mark.needs("qemu-aarch64")
def test_all_instruction_sets_give_the_same_numbers(int8):
    """Sums of integers are exact, and what follows them is the same arithmetic."""
    outputs = [run(int8, "example", cpu) for cpu in CPUS]
    outputs += [run(int8, "example", "max", EDGEMOE_ISA=isa) for isa in ISAS]
    assert [done.returncode for done in outputs] == [0] * len(outputs)
    results = [numbers(done.stdout) for done in outputs]
    assert len(results[0]) >= 8
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.needs("aarch64-linux-gnu-gcc")
@pytest.mark.needs("qemu-aarch64")
def test_an_instruction_set_that_the_cpu_lacks_is_refused(int8):
    done = run(int8, "choice", "cortex-a76", EDGEMOE_ISA="aarch64+dotprod+i8mm")
    assert done.returncode == 1 and "it lacks i8mm" in done.stdout


@pytest.mark.needs("aarch64-linux-gnu-gcc")
@pytest.mark.needs("qemu-aarch64")
@pytest.mark.parametrize(("name", "have"), [("bf16", (4,)), ("f16", (2, 4))])
def test_products_of_16_bits_differ_in_their_last_bits_alone(name, have, tmp_path):
    """By the instructions that some CPUs `have`, and in float32 where it is told to be another."""
    model = edgemoe.compile(
        MODELS["digits"][0], target="aarch64", out=tmp_path / "arm", precision=f"{name}.a16"
    )
    (uses,) = {k.uses for k in model.plan.kernels if k.template == "round_rows"}
    assert uses == (name,)
    link("aarch64-linux-gnu-gcc", model.path, model.path / "src/example.c", tmp_path / "example")
    results = [
        numbers(run(tmp_path, "example", "max", EDGEMOE_ISA=isa).stdout) for isa in ISAS
    ]  # fmt: skip
    assert len(results[0]) >= 8
    for number, other in enumerate(results):
        same = results[have[0] if number in have else 0]
        np.testing.assert_array_equal(other, same)  # it has the kernels of that one
    assert (results[have[0]] != results[0]).any()
    np.testing.assert_allclose(results[have[0]], results[0], rtol=2e-2, atol=2e-2)
