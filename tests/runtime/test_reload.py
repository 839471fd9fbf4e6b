"""An artifact that replaced another at the same path is the one that is loaded."""

from __future__ import annotations

import shutil

import numpy as np

import edgemoe
from edgemoe.runtime import library


def test_a_second_artifact_at_the_same_path(toy_artifact, tmp_path):
    path = tmp_path / "model"
    shutil.copytree(toy_artifact("mixer").path, path)
    old = edgemoe.load(path)
    x = np.ones((1, 2, 6), np.float32)
    before = old.run({"x": x})["y"]
    shutil.rmtree(path)
    shutil.copytree(toy_artifact("routed").path, path)
    new = edgemoe.load(path)
    assert new.manifest.name != old.manifest.name
    assert [spec.shape for spec in new.inputs] != [spec.shape for spec in old.inputs]
    routed = toy_artifact("routed").load()
    rows = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert np.array_equal(new.run({"x": rows})["y"], routed.run({"x": rows})["y"])
    assert np.array_equal(old.run({"x": x})["y"], before)


def test_a_library_that_was_overwritten_in_place(toy_artifact, tmp_path):
    path = tmp_path / "model"
    shutil.copytree(toy_artifact("mixer").path, path)
    edgemoe.load(path).close()
    for name in ("manifest.json", "plan.json", "weights.bin", "model.so", "selftest.npz"):
        fresh = tmp_path / "fresh"
        shutil.copyfile(toy_artifact("routed").path / name, fresh)
        fresh.replace(path / name)
    shutil.rmtree(path / "src")
    shutil.copytree(toy_artifact("routed").path / "src", path / "src")
    assert edgemoe.load(path).run({"x": np.ones((1, 6), np.float32)})["y"].shape == (1, 6)


def test_one_file_is_loaded_once(toy_artifact, tmp_path):
    path = tmp_path / "model.so"
    shutil.copyfile(toy_artifact("mixer").path / "model.so", path)
    first = library.open_library(path)
    assert library.open_library(path) is first
    again = tmp_path / "again"
    shutil.copyfile(path, again)
    again.replace(path)
    second = library.open_library(path)
    assert second is not first
    assert library.open_library(path) is second
