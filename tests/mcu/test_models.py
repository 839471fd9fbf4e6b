"""Shipped models as C: near onnxruntime, and the same bits on this machine and on every core."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe
from edgemoe.runtime.mcu_profile import profile_mcu

pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")

ARM = pytest.mark.needs("arm-none-eabi-gcc", "qemu-system-arm")
RISCV = pytest.mark.needs("riscv64-unknown-elf-gcc", "qemu-system-riscv32")

PAIRS = [
    pytest.param("digits", "cortex-m4", marks=ARM),
    pytest.param("digits", "cortex-m7", marks=ARM),
    pytest.param("digits", "cortex-m33", marks=ARM),
    pytest.param("digits", "cortex-m55", marks=ARM),
    pytest.param("digits", "rv32imc", marks=RISCV),
    pytest.param("co2", "cortex-m7", marks=ARM),
    pytest.param("co2", "rv32imc", marks=RISCV),
    pytest.param("etth1", "cortex-m4", marks=ARM),
]


def error(got, wanted):
    return np.abs(got - wanted).max() / np.sqrt(np.mean(wanted.astype(np.float64) ** 2))


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_host_and_emulator_give_the_same_bits_near_onnxruntime(
    name, target, mcu_model, mcu_artifact
):
    model, artifact = mcu_model(name), mcu_artifact(name, target)
    with (
        edgemoe.load(artifact.path) as host,
        edgemoe.load(artifact.path, device="qemu", check=True, verify=False) as core,
    ):
        for seed in range(3):
            feed = model.feed(seed)
            here, there = host.run(feed), core.run(feed)
            for output, wanted in model.wanted(feed).items():
                assert error(here[output], wanted) < 1e-4
                assert here[output].tobytes() == there[output].tobytes()


@ARM
def test_the_digits_are_recognised_as_by_fp32(mcu_model, mcu_artifact):
    from edgemoe.models.digits_mixer import held_out

    images, labels = (x.numpy() for x in held_out())
    model = mcu_model("digits")
    with edgemoe.load(mcu_artifact("digits", "cortex-m4").path) as session:
        got = [session.run({"image": x[None]})["logits"].argmax() for x in images]
    wanted = [model.wanted({"image": x[None]})["logits"].argmax() for x in images[:20]]
    assert got[:20] == wanted
    assert np.mean(np.array(got) == labels) > 0.95


@pytest.mark.parametrize("name", ["digits", "co2", "etth1"])
def test_the_arena_is_the_largest_live_set(name, mcu_artifact):
    artifact = mcu_artifact(name, "cortex-m4")
    (variant,) = artifact.plan.variants
    assert variant.arena_bytes <= 1.05 * variant.lower_bound_bytes
    memory = artifact.manifest["memory"]
    assert memory["ram"]["arena"] == variant.arena_bytes
    assert f"_ARENA_BYTES {variant.arena_bytes}\n" in (artifact.path / f"{name}.h").read_text()


@ARM
def test_a_profile_counts_instructions_of_every_step(mcu_artifact):
    artifact = mcu_artifact("digits", "cortex-m4")
    once, often = (profile_mcu(artifact.path, runs=n) for n in (2, 20))
    assert len(often.steps) == len(artifact.plan.variants[0].steps)
    assert once.instructions == pytest.approx(often.instructions, rel=0.01)
    products = [s for s in often.steps if s.macs > 10000]
    assert products and all(2 < s.per_mac < 8 for s in products)


@RISCV
def test_a_core_without_fpu_needs_more_instructions(mcu_artifact):
    counted = profile_mcu(mcu_artifact("digits", "rv32imc").path, runs=1)
    assert counted.instructions / counted.macs > 50


@ARM
def test_the_report_has_flash_ram_and_stack(mcu_artifact):
    memory = mcu_artifact("etth1", "cortex-m4").manifest["memory"]
    assert 1000 < memory["flash"]["code"] < 24 * 1024
    assert sum(memory["flash"]["weights"].values()) == memory["weights_bytes"]
    assert 50 < memory["stack"]["bytes"] < 4096
    assert memory["stack"]["entry"] == "etth1_run"
