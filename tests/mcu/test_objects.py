"""`--objects`: kernels compiled by LLVM for the core give what the C source gives."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe
from edgemoe.runtime.mcu_profile import profile_mcu

pytest.importorskip("torch")

ARM = pytest.mark.needs("cc", "arm-none-eabi-gcc", "qemu-system-arm")
RISCV = pytest.mark.needs("cc", "riscv64-unknown-elf-gcc", "qemu-system-riscv32")


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("cortex-m4", marks=ARM),
        pytest.param("cortex-m55", marks=ARM),
        pytest.param("rv32imc", marks=RISCV),
    ],
)
def test_objects_compute_the_same(target, mcu_model, mcu_artifact):
    model, artifact = mcu_model("digits"), mcu_artifact("digits", target, objects=True)
    assert artifact.manifest["mcu"]["objects"][0] == "objects/digits_kernels.o"
    assert artifact.manifest["memory"]["flash"]["code"] > 2000
    feed = model.feed(3)
    with edgemoe.load(artifact.path, device="qemu", check=True) as core:
        got = core.run(feed)["logits"]
    np.testing.assert_allclose(got, model.wanted(feed)["logits"], rtol=1e-3, atol=1e-3)


@ARM
def test_helium_takes_fewer_instructions_than_plain_c(mcu_artifact):
    plain, llvm = (
        profile_mcu(mcu_artifact("digits", "cortex-m55", **options).path, runs=2).instructions
        for options in ({}, {"objects": True})
    )
    assert llvm < 0.8 * plain
