"""Messages about artifacts: damaged, cut off, newer, for another machine, hostile."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import zipfile
from pathlib import Path

import pytest

import edgemoe
from edgemoe.artifact import Artifact, staging
from edgemoe.errors import ArtifactError, DeviceError
from edgemoe.runtime.manifest import SELF_HASH, self_hash


@pytest.fixture
def copy(toy_artifact, tmp_path):
    """A copy of an artifact, to be damaged."""
    folder = tmp_path / "copy"
    shutil.copytree(toy_artifact("mixer").path, folder)
    return folder


def edit_manifest(folder: Path, **changes) -> None:
    """Change the manifest as somebody with a text editor and bad intentions would."""
    path = folder / "manifest.json"
    data = json.loads(path.read_text()) | changes
    data[SELF_HASH] = self_hash(data)
    path.write_text(json.dumps(data))


def refuse(folder: Path, message: str, error=ArtifactError, **options) -> None:
    with pytest.raises(error, match=message):
        edgemoe.load(folder, **options)


def test_missing(tmp_path):
    refuse(tmp_path / "nothing", "nothing does not exist; give the folder or .zip")
    refuse(tmp_path, r"is no edgemoe artifact: it has no manifest.json; give the folder")


def test_an_edited_byte_in_any_file_is_noticed(copy):
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    assert len(files) > 12
    for path in files:
        good = path.read_bytes()
        if not good:
            continue
        middle = len(good) // 2
        path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
        name = path.relative_to(copy).as_posix()
        with pytest.raises(ArtifactError, match=f"{re.escape(path.name)}.*copy the artifact again"):
            edgemoe.load(copy)
        path.write_bytes(good)
        assert name
    edgemoe.load(copy).close()


def test_truncated_weights(copy):
    path = copy / "weights.bin"
    path.write_bytes(path.read_bytes()[:100])
    refuse(copy, r"'weights.bin' .* has 100 bytes, the manifest says 192 \(cut off or edited\)")
    record = {"bytes": 100, "sha256": ""}
    files = json.loads((copy / "manifest.json").read_text())["files"] | {"weights.bin": record}
    edit_manifest(copy, files=files)
    refuse(copy, r"weights.bin has 100 bytes, 192 are expected \(it was cut off", verify=False)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (0, r"is not a weight file of edgemoe \(192 bytes"),
        (8, "has weight format 0, this library reads format 1"),
        (20, "belongs to another build than the library of model 'toy-mixer'"),
        (33, "has 192 bytes, 192 are expected|cut off or edited"),
    ],
)
def test_the_library_checks_the_header_itself(copy, place, message):
    path = copy / "weights.bin"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))
    refuse(copy, message, verify=False)


def test_a_missing_file(copy):
    (copy / "model.so").unlink()
    refuse(copy, "lacks its file 'model.so'; copy the artifact again")


def test_a_library_that_is_none(copy):
    (copy / "model.so").write_bytes(b"\0" * (copy / "model.so").stat().st_size)
    refuse(copy, "model.so cannot be loaded .*compile the model again", verify=False)


def test_newer_format(copy):
    edit_manifest(copy, format=99)
    refuse(copy, "has format 99, this edgemoe reads up to format 1; update edgemoe")


def test_damaged_manifest(copy):
    edit_manifest(copy, inputs=[{"name": "x"}])
    refuse(copy, "manifest.json is damaged: KeyError 'dtype'; compile the model again")
    edit_manifest(copy, inputs=7)
    refuse(copy, "manifest.json is damaged: TypeError")
    (copy / "manifest.json").write_text("[]")
    refuse(copy, "manifest.json is damaged: it has no format version")
    (copy / "manifest.json").write_text("{")
    refuse(copy, "manifest.json cannot be read")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "src/../../secret", "a\\..\\b"])
def test_paths_that_lead_out(copy, name):
    edit_manifest(
        copy, files={"model.so": {"bytes": 1, "sha256": ""}, name: {"bytes": 1, "sha256": ""}}
    )
    (copy / "model.so").write_bytes(b"x")
    refuse(copy, "outside of the artifact; do not use this artifact", verify=False)


def test_a_link_that_leads_out(copy, tmp_path):
    real = tmp_path / "elsewhere.so"
    (copy / "model.so").rename(real)
    (copy / "model.so").symlink_to(real)
    refuse(copy, "names the file 'model.so' outside of the artifact")


def test_a_library_that_is_not_listed(copy):
    edit_manifest(copy, library="other.so")
    refuse(copy, "does not list its library")


def test_another_machine(copy):
    edit_manifest(copy, machine="riscv64", target="visionfive")
    refuse(copy, r"compiled for riscv64 \(visionfive\), this machine is", DeviceError)


def test_a_self_test_that_fails(toys, tmp_path):
    toy = toys.mixer()
    wrong = toys.SelfTest(
        toy.selftests[0].inputs, {k: v + 1 for k, v in toy.selftests[0].outputs.items()}
    )
    artifact = toys.build(toys.Toy(toy.plan, toy.weights, [wrong]), tmp_path / "wrong")
    refuse(artifact.path, "self-test of 'toy-mixer' failed with .*output 'y' of case 0", check=True)


def test_it_overwrites_nothing_but_artifacts(toys, tmp_path, copy):
    mine = tmp_path / "photos"
    mine.mkdir()
    (mine / "cat.jpg").write_text("cat")
    for place in (mine, mine / "cat.jpg"):
        with pytest.raises(ArtifactError, match="exists and is no edgemoe artifact; it was not"):
            toys.build(toys.mixer(), place)
    assert (mine / "cat.jpg").read_text() == "cat"
    toys.build(toys.columns(), copy)
    assert Artifact.open(copy).plan.name == "toy-columns"
    assert not list(tmp_path.glob(".*"))


def test_an_error_leaves_the_old_artifact(copy, tmp_path):
    with pytest.raises(ZeroDivisionError), staging(copy) as folder:
        (folder / "half").write_text("x")
        raise ZeroDivisionError
    assert edgemoe.load(copy).manifest.name == "toy-mixer"
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk(toys, tmp_path):
    """A limit on the size of files stands for the disk: the same call fails in the same place."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    toy = toys.mixer(width=1 << 16)
    objects = toys.compile_kernels(tmp_path, toy.plan.isas, ["cc"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, hard))
    try:
        with pytest.raises(
            ArtifactError, match=r"cannot be written: .*; nothing was changed; free"
        ):
            toys.write_cpu_artifact(tmp_path / "out", toy.plan, toy.weights, objects)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_place_that_cannot_be_written(toys):
    message = r"artifact /proc/out cannot be written: .*; nothing was changed; choose another"
    with pytest.raises(ArtifactError, match=message):
        toys.build(toys.mixer(), Path("/proc/out"))


def test_no_space_left(tmp_path):
    with pytest.raises(ArtifactError, match="No space left on device"), staging(tmp_path / "out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def test_zip_round_trip(toys, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path / "cache"))
    first = toys.build(toys.mixer(), tmp_path / "a.zip")
    second = toys.build(toys.mixer(), tmp_path / "b.zip")
    assert first.path.read_bytes() == second.path.read_bytes()
    edgemoe.load(first.path, check=True)
    edgemoe.load(first.path, check=True)  # from the cache
    assert len(list((tmp_path / "cache" / "artifacts").iterdir())) == 1
    toys.build(toys.columns(), tmp_path / "a.zip")
    assert edgemoe.load(tmp_path / "a.zip").manifest.name == "toy-columns"


def test_a_zip_with_paths_that_lead_out(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path / "cache"))
    for name in ("../evil", "/evil"):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            archive.writestr("manifest.json", "{}")
            archive.writestr(name, "x")
        refuse(tmp_path / "bad.zip", "outside of the artifact")
    assert not [path for path in tmp_path.rglob("*") if path.name == "evil"]
    (tmp_path / "bad.zip").write_bytes(b"PK nonsense")
    refuse(tmp_path / "bad.zip", "cannot be unpacked .*copy it again")
