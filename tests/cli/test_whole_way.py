"""From an ONNX file to a verified, profiled, compared artifact, through the command line alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from edgemoe.cli.main import app

pytestmark = pytest.mark.needs("cc")


def cli(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="edgemoe")
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """gelu(x W + b) V, x [T, 12]."""
    from onnx import TensorProto, helper, numpy_helper, save

    generator = np.random.default_rng(0)
    weights = {"W": (12, 20), "b": (20,), "V": (20, 5)}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "W"], ["xw"]),
            helper.make_node("Add", ["xw", "b"], ["h"]),
            helper.make_node("Gelu", ["h"], ["g"]),
            helper.make_node("MatMul", ["g", "V"], ["y"]),
        ],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 5])],
        [
            numpy_helper.from_array(generator.standard_normal(s).astype(np.float32), n)
            for n, s in weights.items()
        ],
    )
    path = tmp_path_factory.mktemp("model") / "toy.onnx"
    opset = helper.make_opsetid("", 20)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def artifact(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("artifact") / "toy"
    code, text, err = cli(
        "compile", model, "-t", "cpu", "-o", out, "--tokens", "1,4", "--time-passes", "--check"
    )
    assert code == 0, err
    assert "toy for " in text and "seconds" in text
    return out


def test_verify_profile_inspect_report(artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path))
    assert cli("verify", artifact)[0] == 0
    code, text, err = cli("profile", artifact, "--runs", 2)
    assert code == 0, err
    assert "linear" in text
    code, text, _ = cli("inspect", artifact)
    assert code == 0 and "variant 1: 4 tokens" in text
    assert cli("report", artifact, "-o", tmp_path / "r.html")[0] == 0


@pytest.mark.parametrize("tokens", [1, 4, 7, 9])
def test_run_and_compare(model, artifact, tmp_path, tokens):
    x = np.random.default_rng(tokens).standard_normal((tokens, 12)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    inputs = ("--inputs", tmp_path / "x.npz")
    code, _, err = cli("run", artifact, *inputs, "-o", tmp_path / "y.npz", "--threads", 2)
    assert code == 0, err
    assert np.load(tmp_path / "y.npz")["y"].shape == (tokens, 5)
    code, text, err = cli("compare", model, artifact, *inputs, "--runs", 1, "--json", "-")
    assert code == 0, err
    (output,) = json.loads(text)["outputs"]
    assert output["sqnr_db"] is None or output["sqnr_db"] > 110


def test_a_budget_that_cannot_be_met(model, tmp_path):
    code, _, err = cli(
        "compile", model, "-t", "cpu", "-o", tmp_path / "o", "--tokens", "1", "--max-bytes", 10
    )
    assert code == 3, err
    assert err.splitlines()[-2].startswith("BudgetError: ") or "BudgetError: " in err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["-t", "nowhere"], "TargetError: unknown target 'nowhere'"),
        (["-t", "cpu", "--cpu", "z80"], "OptionError: --cpu z80"),
        (["-t", "cpu", "--precision", "i5"], "OptionError: --precision i5"),
    ],
)
def test_errors_of_the_compiler(model, tmp_path, options, error):
    code, _, err = cli("compile", model, "-o", tmp_path / "o", "--tokens", "1", *options)
    assert code == 1
    assert error in err
    assert not list(tmp_path.iterdir())


def test_explain(model):
    code, text, err = cli("explain", model, "--tokens", "4")
    assert code == 0, err
    assert text.strip()
    code, text, _ = cli("explain", model, "--tokens", "4", "--json", "-")
    assert "nodes" in json.loads(text)
