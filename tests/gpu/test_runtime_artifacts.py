"""Artifacts that were damaged, kernels that a driver refuses, and the cache of compiled kernels."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import ArtifactError, DeviceError
from edgemoe.runtime.gpu_program import read_program
from edgemoe.runtime.manifest import self_hash


@pytest.fixture
def copy(gpu_artifact, tmp_path):
    """`copy("mixer", "opencl")` is the folder of a toy that a test may damage."""

    def make(name, family):
        return shutil.copytree(gpu_artifact(name, family).path, tmp_path / f"{name}_{family}")

    return make


def kernel_of(folder):
    return sorted((folder / "kernels").iterdir())[0]


def test_a_kernel_that_was_edited(copy, family):
    folder = copy("mixer", family)
    path = kernel_of(folder)
    path.write_text(path.read_text().replace("p0[i]", "p1[i]"))
    with pytest.raises(ArtifactError, match=f"{path.name}' of .* was edited or damaged"):
        edgemoe.load(folder)


def test_a_file_that_was_cut_off(copy, family):
    folder = copy("mixer", family)
    weights = folder / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(ArtifactError, match=r"'weights.bin' of .*cut off"):
        edgemoe.load(folder, verify=False)


def test_a_kernel_that_is_missing(copy, family):
    folder = copy("mixer", family)
    kernel_of(folder).unlink()
    with pytest.raises(ArtifactError, match="lacks its file 'kernels/"):
        edgemoe.load(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda plan: plan.pop("variants"),
        lambda plan: plan["kernels"].pop(),
        lambda plan: plan["variants"][0]["steps"][0]["arguments"].pop(),
        lambda plan: plan["variants"][0]["steps"][0]["arguments"][0].update(buffer=99),
        lambda plan: plan["kernels"][0].update(name="../../etc/passwd"),
    ],
)
def test_a_plan_that_is_none(copy, damage):
    folder = copy("mixer", "opencl")
    plan = json.loads((folder / "plan.json").read_text())
    damage(plan)
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(ArtifactError, match=r"the plan of .* cannot be read"):
        read_program(folder, "opencl")


def test_weights_outside_of_the_file(copy, family):
    folder = copy("mixer", family)
    plan = json.loads((folder / "plan.json").read_text())
    for variant in plan["variants"]:
        for buffer in variant["buffers"]:
            if buffer["where"] == "weights":
                buffer["offset"] += 1 << 20
    (folder / "plan.json").write_text(json.dumps(plan))
    accept(folder)
    with pytest.raises(ArtifactError, match="the plan reads up to"):
        edgemoe.load(folder, verify=False)


def accept(folder):
    """Make the manifest fit the sizes of files that a test changed."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, record in manifest["files"].items():
        record["bytes"] = (folder / name).stat().st_size
    del manifest["manifest_sha256"]
    manifest["manifest_sha256"] = self_hash(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_kernel_that_the_driver_refuses(copy, family):
    folder = copy("chain", family)
    path = kernel_of(folder)
    path.write_text(path.read_text().replace("p1[i] =", "p1[i] = nonsense +"))
    accept(folder)
    session = edgemoe.load(folder, verify=False)
    with pytest.raises(DeviceError, match=r"refuses kernel 'more'(?s:.*)nonsense"):
        session.run({"x": np.zeros(33, np.float32)})
    session.close()


def fresh_device(session):
    """The device opened once more, as another process would."""
    known = session._device
    return type(known)(known.info, known._device)


def test_compiled_kernels_are_kept_on_disk(gpu_artifact, opencl, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path))
    artifact = gpu_artifact("mixer", opencl)
    kernels = list(read_program(artifact.path, "opencl").kernels.values())
    with artifact.load() as session:
        first = fresh_device(session)
        first.build(kernels)
        assert (first.kernels_built, first.kernels_cached) == (4, 0)
        first.build(kernels)
        assert first.kernels_built == 4
        second = fresh_device(session)
        second.build(kernels)
        assert (second.kernels_built, second.kernels_cached) == (0, 4)
        files = sorted((tmp_path / "gpu").iterdir())
        assert len(files) == 4
        files[0].write_bytes(files[0].read_bytes()[:-1])  # cut off
        files[1].write_bytes(b"")
        third = fresh_device(session)
        third.build(kernels)
        assert (third.kernels_built, third.kernels_cached) == (2, 2)


def test_a_cache_that_cannot_be_written(gpu_artifact, opencl, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path / "file"))
    artifact = gpu_artifact("mixer", opencl)
    with artifact.load() as session:
        device = fresh_device(session)
        device.build(list(read_program(artifact.path, "opencl").kernels.values()))
        assert device.kernels_built == 4


def test_another_driver_has_other_files(gpu_artifact, opencl):
    import dataclasses

    from edgemoe.runtime.gpu_cache import ProgramCache

    with gpu_artifact("mixer", opencl).load() as session:
        info = session._device.info
    newer = dataclasses.replace(info, driver=info.driver + ".1")
    assert ProgramCache(info).key("x") == ProgramCache(info).key("x")
    assert ProgramCache(info).key("x") != ProgramCache(newer).key("x")
    assert ProgramCache(info).key("x") != ProgramCache(info).key("y")
