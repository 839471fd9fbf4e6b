"""The commands on GPU artifacts, as a user types them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from edgemoe.cli.main import app


@pytest.fixture
def cli(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("edgemoe.runtime.machine._SECONDS", 0.01)
    monkeypatch.setattr("edgemoe.runtime.machine._REPEATS", 1)

    def call(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="edgemoe")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def x_npz(tmp_path):
    path = tmp_path / "x.npz"
    x = np.random.default_rng(0).standard_normal((1, 5, 6)).astype(np.float32)
    np.savez(path, x=x)
    return path


def test_run(cli, gpu_artifact, gpu_toys, family, x_npz, tmp_path):
    out = tmp_path / "y.npz"
    path = gpu_artifact("mixer", family).path
    code, text, _ = cli("run", path, "--inputs", x_npz, "-o", out, "--device", f"{family}:0")
    assert code == 0
    assert "float32" in text
    w, b = gpu_toys.mixer("opencl").weights
    with np.load(out) as got, np.load(x_npz) as given:
        assert np.allclose(got["y"], given["x"] * w + b, rtol=1e-6, atol=1e-6)


def test_verify(cli, gpu_artifact, gpu_toys, family, tmp_path):
    code, text, _ = cli("verify", gpu_artifact("routed", family).path, "--json", "-")
    data = json.loads(text)
    assert code == 0
    assert data["passed"]
    assert data["skipped_isas"] == []
    language = "opencl" if family == "opencl" else "wgsl"
    toy = gpu_toys.mixer(language)
    case = toy.selftests[0]
    wrong = gpu_toys.SelfTest(case.inputs, {"y": case.outputs["y"] * 1.01}, 1e-3)
    toy = gpu_toys.GpuToy(toy.plan, toy.sources, toy.weights, [wrong])
    code, text, error = cli("verify", gpu_toys.write(toy, tmp_path / "wrong", language).path)
    assert code == 1
    assert "FAILED" in text
    assert "--device" in error


def test_profile_says_whose_times_they_are(cli, gpu_artifact, family, tmp_path):
    path = gpu_artifact("routed", family).path
    code, text, _ = cli("profile", path, "--runs", 2, "--json", tmp_path / "p.json")
    assert code == 0
    for part in (f"({family}:0)", "device: ", "times of steps are the device's", "TLS 0.750"):
        assert part in text
    assert "threads" not in text
    data = json.loads((tmp_path / "p.json").read_text())
    assert data["device"] == f"{family}:0"
    assert [step["kernel"] for step in data["steps"]] == ["route_1", "expert_1"]


def test_generate(cli, gpu_artifact, family):
    path = gpu_artifact("language", family).path
    code, text, _ = cli("generate", path, "--prompt", "abc", "--max-tokens", 5)
    assert code == 0
    assert text.startswith("abcfcagg")


def test_inspect(cli, gpu_artifact, family):
    code, text, _ = cli("inspect", gpu_artifact("routed", family).path)
    assert code == 0
    assert "variant 1: 4 tokens, 2 steps" in text


def test_compare_on_a_device_of_one_of_them(cli, gpu_artifact, toy_artifact, family, x_npz):
    """The CPU's toy has the same sums; `--device` is for the artifact that it fits."""
    a, b = toy_artifact("mixer").path, gpu_artifact("mixer", family).path
    code, text, _ = cli(
        "compare", a, b, "--inputs", x_npz, "--runs", 1, "--device", f"{family}:0", "--json", "-"
    )
    data = json.loads(text)
    assert code == 0
    assert data["outputs"][0]["max_error"] < 1e-5
    assert data["b"]["engine"].endswith(f"{family}:0")
    code, _, error = cli("compare", a, b, "--inputs", x_npz, "--device", "banana")
    assert code == 1
    assert "no device 'banana'" in error


def test_devices(cli, family):
    code, text, _ = cli("targets", "--devices")
    assert code == 0
    assert f"{family}:0" in text
    found = json.loads(cli("targets", "--devices", "--json", "-")[1])["devices"]
    assert {"threads", "local_bytes", "fp16", "subgroups", "driver"} <= set(found[0])
