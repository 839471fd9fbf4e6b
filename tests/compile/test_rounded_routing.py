"""Deep mixtures whose rounded weights send tokens to other experts compile all the same."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import edgemoe
from edgemoe.runtime.selftest import read_cases, run_cases

pytestmark = pytest.mark.needs("cc")

HIDDEN, EXPERTS, LAYERS, TOKENS = 32, 16, 8, 64


class Layer(nn.Module):
    """The best expert alone: another one changes everything."""

    def __init__(self):
        super().__init__()
        self.router = nn.Parameter(torch.randn(EXPERTS, HIDDEN) / HIDDEN**0.5)
        self.experts = nn.Parameter(torch.randn(EXPERTS, HIDDEN, HIDDEN) / HIDDEN**0.5)

    def forward(self, x):
        best = (x @ self.router.T).argmax(-1)
        return x + torch.bmm(self.experts[best], x[..., None])[..., 0]


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
            x = x * torch.rsqrt(x.square().mean(-1, keepdim=True))
        return x


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("deep") / "deep.onnx"
    x = torch.randn(TOKENS, HIDDEN)
    program = torch.onnx.export(
        Deep().eval(), (x,), input_names=["x"], output_names=["y"], dynamo=True
    )
    program.save(path)
    return path


@pytest.fixture(scope="module")
def artifact(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("rounded") / "m"
    return edgemoe.compile(model, precision="i4", cpu="native", out=out)


def test_other_experts_are_no_fault(model, artifact):
    with edgemoe.load(artifact.path, check=True) as session:  # the test that the artifact carries
        (result,) = run_cases(session)
        (case,) = read_cases(artifact.path)
        assert case.statistic == "rms" and result.passed
        exact = onnxruntime.InferenceSession(model).run(None, case.inputs)[0]
        error = session.run(case.inputs)["y"] - exact
    rms = float(np.sqrt(np.mean(exact**2)))
    assert np.abs(error).max() > rms  # tokens went elsewhere


def test_it_is_told_how_far_the_model_went(model, artifact):
    accuracy = artifact.manifest["accuracy"]
    error = accuracy["relative_rms_error"]["y"]
    assert 0.1 < error < 2
    assert ("warning" in accuracy) == (error > 0.95)
    if "warning" in accuracy:
        assert "y:" in accuracy["warning"] and "--precision" in accuracy["warning"]


def test_a_kernel_that_computes_something_else_is_found(artifact, tmp_path):
    shutil.copytree(artifact.path, tmp_path / "m")
    with np.load(artifact.path / "selftest.npz") as file:
        arrays = dict(file)
    arrays["0/output/y"] = np.roll(arrays["0/output/y"], 1, 0)
    np.savez(tmp_path / "m" / "selftest.npz", **arrays)
    with pytest.raises(edgemoe.errors.ArtifactError, match=r"differs by an RMS of .* allowed 0.05"):
        edgemoe.load(tmp_path / "m", check=True, verify=False)


@pytest.mark.parametrize(
    ("target", "precision"),
    [pytest.param("webgpu-f16", "f32", marks=pytest.mark.needs("device:webgpu-f16")),
     pytest.param("opencl", "i4", marks=pytest.mark.needs("device:opencl")),
     pytest.param("cpu+opencl", "i4", marks=pytest.mark.needs("device:opencl"))],
)  # fmt: skip
def test_gpus_take_the_model_too(model, target, precision, tmp_path):
    """Rounded weights, and tensors between steps in float16."""
    artifact = edgemoe.compile(model, target=target, precision=precision, out=tmp_path / "m")
    edgemoe.load(artifact.path, check=True).close()
    (case,) = read_cases(artifact.path)
    assert case.statistic == "rms" and case.tolerance == 0.05  # of what the device gave
    assert artifact.manifest["accuracy"]["relative_rms_error"]["y"] > 1e-5


@pytest.fixture(scope="module")
def cross_compiled(model, tmp_path_factory):
    return edgemoe.compile(
        model, target="aarch64", cpu="aarch64+dotprod", precision="i4",
        out=tmp_path_factory.mktemp("cross") / "m",
    )  # fmt: skip


@pytest.mark.needs("aarch64-linux-gnu-gcc")
def test_what_cannot_run_here_expects_what_a_copy_gave(model, artifact, cross_compiled):
    """Experts chosen after rounding are the same on both: float32 would be far away."""
    (case,) = read_cases(cross_compiled.path)
    assert case.statistic == "rms" and case.tolerance == 0.05
    with edgemoe.load(artifact.path) as session:
        own = session.run(case.inputs)["y"]
    rms = float(np.sqrt(np.mean(own**2)))
    assert float(np.sqrt(np.mean((case.outputs["y"] - own) ** 2))) < 0.05 * rms
    exact = onnxruntime.InferenceSession(model).run(None, case.inputs)[0]
    assert float(np.sqrt(np.mean((case.outputs["y"] - exact) ** 2))) > 0.05 * rms
    accuracy = cross_compiled.manifest["accuracy"]
    assert "as aarch64 is not here" in accuracy["data"]
    error = artifact.manifest["accuracy"]["relative_rms_error"]["y"]
    assert accuracy["relative_rms_error"]["y"] == pytest.approx(error, rel=0.1)


@pytest.mark.needs("aarch64-linux-gnu-gcc")
@pytest.mark.needs("qemu-aarch64")
def test_the_board_gives_what_the_copy_gave(cross_compiled, tmp_path):
    """The artifact's own example in an emulator, told to print every element."""
    folder = cross_compiled.path
    text = (folder / "src/example.c").read_text()
    assert "i < 8" in text
    (tmp_path / "all.c").write_text(text.replace("i < 8", f"i < {TOKENS * HIDDEN}"))
    subprocess.run(
        ["aarch64-linux-gnu-gcc", "-std=c11", "-I", folder / "src", "-o", tmp_path / "all",
         tmp_path / "all.c", folder / "model.so", f"-Wl,-rpath,{folder}"], check=True,
    )  # fmt: skip
    done = subprocess.run(
        ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", tmp_path / "all", folder],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    (case,) = read_cases(folder)
    (line,) = (x for x in done.stdout.splitlines() if x.startswith("y:"))
    got = np.array([float(x) for x in line.split()[1:]]).reshape(TOKENS, HIDDEN)
    error = got - case.outputs["y"]
    assert np.sqrt(np.mean(error**2)) < case.tolerance * np.sqrt(np.mean(got**2))


@pytest.mark.needs("aarch64-linux-gnu-gcc")
def test_without_a_compiler_for_this_machine_nothing_was_measured(model, tmp_path, monkeypatch):
    from edgemoe import stand_in

    monkeypatch.setattr(stand_in, "_of_this_machine", lambda: None)
    artifact = edgemoe.compile(
        model, target="aarch64", cpu="aarch64+dotprod", precision="i4", out=tmp_path / "m"
    )
    assert "cannot run code for aarch64" in artifact.manifest["accuracy"]["loss by rounding"]
    (case,) = read_cases(artifact.path)
    exact = onnxruntime.InferenceSession(model).run(None, case.inputs)[0]
    np.testing.assert_allclose(case.outputs["y"], exact, rtol=1e-3, atol=1e-4)
