"""Errors around microcontrollers name the thing and the next step."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import DeviceError, InputError, OptionError, TargetError, ToolError
from edgemoe.runtime.mcu_profile import profile_mcu
from edgemoe.targets import load_target
from edgemoe.targets.spec import catalogue

pytest.importorskip("torch")


@pytest.fixture
def artifact(mcu_artifact):
    return mcu_artifact("digits", "cortex-m4")


def test_the_cores_are_in_the_catalogue():
    names = {spec.name for spec in catalogue() if spec.family == "mcu"}
    assert names == {"cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc"}


def test_a_target_file_of_the_user(mcu_model, tmp_path):
    text = (load_toml("cortex-m7")).replace('name = "cortex-m7"', 'name = "my-board"', 1)
    (tmp_path / "board.toml").write_text(text)
    assert load_target(str(tmp_path / "board.toml")).name == "my-board"
    artifact = mcu_model("digits").compile(str(tmp_path / "board.toml"), tmp_path / "out")
    assert artifact.manifest["target"] == "my-board"


def load_toml(name):
    from importlib import resources

    return resources.files("edgemoe.targets").joinpath(f"{name}.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new"),
    [("alignment = 8", "alignment = 3"), ("fpu = true", ""), ("[0x20000000, 0x400000]", "[1]")],
)
def test_a_target_file_that_is_wrong(old, new, tmp_path):
    (tmp_path / "board.toml").write_text(load_toml("cortex-m7").replace(old, new))
    with pytest.raises(TargetError, match="not valid"):
        load_target(str(tmp_path / "board.toml"))


def test_there_is_no_such_device(artifact):
    with pytest.raises(DeviceError, match=r"no device 'moon'.*host, qemu"):
        edgemoe.load(artifact.path, device="moon")


@pytest.mark.needs("cc")
def test_one_thread_and_one_instruction_set(artifact):
    for options in ({"threads": 2}, {"isa": "avx9"}):
        with pytest.raises(DeviceError, match="one thread and the instruction set cortex-m4"):
            edgemoe.load(artifact.path, **options)


def test_a_missing_emulator_is_named(artifact, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"'qemu-system-arm' cannot be started.*apt install"):
        edgemoe.load(artifact.path, device="qemu")


@pytest.mark.needs("qemu-system-arm")
def test_a_missing_cross_compiler_is_named(artifact, monkeypatch, tmp_path):
    import shutil

    (tmp_path / "qemu-system-arm").symlink_to(shutil.which("qemu-system-arm"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolError, match=r"'arm-none-eabi-gcc'.*libnewlib-arm-none-eabi"):
        edgemoe.load(artifact.path, device="qemu")


def test_without_a_cross_compiler_code_is_unknown(mcu_model, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    artifact = mcu_model("digits").compile("cortex-m4", tmp_path / "out")
    memory = artifact.manifest["memory"]
    assert memory["flash"]["code"] is None and memory["stack"] is None
    assert sum(memory["flash"]["weights"].values()) > 60_000


def test_the_host_counts_no_instructions(artifact):
    with pytest.raises(DeviceError, match="profile with --device qemu"):
        profile_mcu(artifact.path, device="host")


@pytest.mark.needs("cc")
def test_inputs_are_checked(artifact):
    image = np.zeros((1, 1, 8, 8), np.float32)
    with edgemoe.load(artifact.path, strict=True) as session:
        for feed, words in (
            ({}, "input 'image' is missing"),
            ({"image": image, "x": image}, "no input 'x'"),
            ({"image": image[0]}, "expected image: float32"),
            ({"image": image.astype(np.float64)}, "convert it"),
            ({"image": image + np.nan}, "NaN"),
        ):
            with pytest.raises(InputError, match=words):
                session.run(feed)


@pytest.mark.parametrize(
    ("precision", "words"),
    [("i8", "needs --calibration"), ("i4.g32", "--precision f32 or bf16"),
     ("f16", "--precision f32 or bf16"), ("i3.a32", "codes of 8, 4 or 2 bits")],
)  # fmt: skip
def test_formats_that_cannot_be_had(precision, words, mcu_model, tmp_path):
    model = mcu_model("digits")
    with pytest.raises(OptionError, match=words):
        edgemoe.compile(
            model.source.model.clone(), name="digits", target="cortex-m4", out=tmp_path / "x",
            precision=precision,
        )  # fmt: skip


def test_a_budget_of_weights_knows_the_formats_that_there_are(mcu_model, tmp_path):
    from edgemoe.errors import BudgetError

    model = mcu_model("digits")
    with pytest.raises(BudgetError, match="as bfloat16, --max-bytes allows 1,000 B") as caught:
        edgemoe.compile(
            model.source.model.clone(), name="digits", target="cortex-m4", out=tmp_path / "x",
            max_bytes=1000,
        )  # fmt: skip
    assert "i4" not in str(caught.value)
