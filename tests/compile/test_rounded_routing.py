"""Deep mixtures whose rounded weights send tokens to other experts compile all the same."""

from __future__ import annotations

import shutil

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


@pytest.mark.needs("aarch64-linux-gnu-gcc")
def test_what_cannot_run_here_says_that_nothing_was_measured(model, tmp_path):
    artifact = edgemoe.compile(
        model, target="aarch64", cpu="aarch64+dotprod", precision="i4", out=tmp_path / "m"
    )
    assert "cannot run code for aarch64" in artifact.manifest["accuracy"]["loss by rounding"]
