"""Every command as a user types it: text, JSON, exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgemoe.cli.main import app

COMMANDS = (
    "compare", "compile", "explain", "export", "generate", "inspect", "passes", "profile", "report",
    "run", "sweep", "targets", "tune", "verify",
)  # fmt: skip


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """`cli("run", ...)` gives (exit code, stdout, stderr)."""
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("edgemoe.runtime.machine._SECONDS", 0.01)

    def call(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="edgemoe")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def x_npz(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, x=np.random.default_rng(0).standard_normal((1, 5, 6)).astype(np.float32))
    return path


def test_help_lists_the_contract(cli):
    code, out, _ = cli("--help")
    assert code == 0
    assert tuple(re.findall(r"^  ([a-z]+)  ", out, re.MULTILINE)) == COMMANDS
    for name in COMMANDS:
        code, out, _ = cli(name, "--help")
        assert code == 0
        assert "--json" in out
        assert "--verbose" in out and "--quiet" in out


def test_version(cli):
    assert re.fullmatch(r"edgemoe \d+\.\d+\.\d+\n", cli("--version")[1])


def test_it_also_starts_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "edgemoe", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("edgemoe ")


@pytest.mark.parametrize("command", ["--nonsense", "nonsense", "run", "profile --runs 0 x"])
def test_usage_is_2(cli, command):
    code, _, err = cli(*command.split())
    assert code == 2
    assert "Usage" in err


def test_run(cli, toy_artifact, toys, x_npz, tmp_path):
    artifact = toy_artifact("mixer")
    y = tmp_path / "y.npz"
    code, out, err = cli("run", artifact.path, "--inputs", x_npz, "-o", y, "--threads", 2)
    assert (code, err) == (0, "")
    x = np.load(x_npz)["x"]
    w, b = toys.mixer().weights
    assert np.array_equal(np.load(y)["y"], x * w + b)
    assert re.search(r"^y +float32 +\[1, 5, 6\] +-?\d", out, re.MULTILINE)


def test_json_goes_to_a_file_or_alone_to_the_output(cli, toy_artifact, x_npz, tmp_path):
    path = tmp_path / "r.json"
    run = ("run", toy_artifact("mixer").path, "--inputs", x_npz, "--json")
    code, out, _ = cli(*run, path)
    assert code == 0 and "float32" in out
    data = json.loads(path.read_text())
    code, out, _ = cli(*run, "-")
    assert json.loads(out)["outputs"] == data["outputs"]
    code, out, err = cli(*run, "/proc/nowhere")
    assert code == 1 and "--json /proc/nowhere cannot be written" in err


def test_quiet(cli, toy_artifact, x_npz):
    assert cli("run", toy_artifact("mixer").path, "--inputs", x_npz, "-q")[1] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "{mixer}", "--inputs", "no.npz"], "InputError: no.npz does not exist; give an"),
        (["run", "{mixer}", "--inputs", __file__], "cannot be read as .npz"),
        (["run", "nowhere", "--inputs", "{x}"], "ArtifactError: nowhere does not exist"),
        (["run", "{running}", "--inputs", "{x}"], "InputError: input 'x' is float32 [1, 5, 6]"),
        (["run", "{mixer}", "--inputs", "{x}", "--device", "gpu"], "DeviceError: there is no dev"),
        (["run", "{mixer}", "--inputs", "{x}", "--isa", "sse"], "DeviceError: the artifact has no"),
        (["run", "{mixer}", "--inputs", "{x}", "-o", "/proc/y"], "InputError: /proc/y cannot be w"),
        (["generate", "{mixer}", "--prompt", "a"], "has no vocabulary"),
        (["inspect", "nowhere"], "ArtifactError: nowhere is no edgemoe artifact"),
        (["report", "{mixer}", "-o", "/proc/r"], "OptionError: /proc/r cannot be written"),
        (["compare", "{mixer}", "no.onnx"], "ModelError: no.onnx does not exist"),
        (["compare", "{mixer}", "{routed}"], "InputError: input 'x' is float32 [1, 2, 6]"),
        (["compare", "{mixer}", "{language}"], "InputError: "),
        (["verify", "{running}"], "has no self-test; compile the model again"),
    ],
)
def test_a_users_error_is_one_message_and_1(cli, toy_artifact, x_npz, arguments, message):
    names = {name: toy_artifact(name).path for name in ("mixer", "routed", "running", "language")}
    code, out, err = cli(*[a.format(**names, x=x_npz) for a in arguments], "--json", "-")
    assert code == 1
    assert message in err
    assert "Traceback" not in err + out
    assert json.loads(out[out.rindex('{\n "error"') :])["error"]["type"] in err


def test_tracebacks_only_with_vv(cli):
    assert "Traceback" not in cli("inspect", "nowhere", "-v")[2]
    assert "Traceback" in cli("inspect", "nowhere", "-vv")[2]


def test_a_bug_says_that_it_is_one(cli, toy_artifact, monkeypatch):
    monkeypatch.setattr("edgemoe.plan_text.describe", lambda plan: 1 // 0)
    code, _, err = cli("inspect", toy_artifact("mixer").path)
    assert code == 1
    assert re.match(r"bug in edgemoe .*: ZeroDivisionError: .*with -vv for the traceback", err)
    assert "Traceback" in cli("inspect", toy_artifact("mixer").path, "-vv")[2]


def test_generate(cli, toy_artifact):
    options = ("generate", toy_artifact("language").path, "--prompt", "bad", "--max-tokens", 4)
    code, out, _ = cli(*options)
    assert (code, out) == (0, "badfbfd\n")
    assert json.loads(cli(*options, "--json", "-")[1])["text"] == "fbfd"


def test_verify(cli, toy_artifact, toys):
    code, out, _ = cli("verify", toy_artifact("mixer").path)
    assert code == 0
    assert out.count(" ok\n") == len(toys.HOST_ISAS)
    data = json.loads(cli("verify", toy_artifact("mixer").path, "--json", "-")[1])
    assert data["passed"] and data["results"][0]["equal"]


def test_verify_skips_what_the_cpu_lacks(cli, toy_artifact, toys):
    isas = (toys.HOST_ISAS[0], toys.HOST_ISAS[-1] + "+nosuch")
    code, out, _ = cli("verify", toy_artifact("mixer", isas=isas).path)
    assert code == 0
    assert "nosuch: skipped, this CPU cannot run" in out


def test_verify_fails_with_1(cli, toys, tmp_path):
    toy = toys.mixer()
    case = toy.selftests[0]
    wrong = toys.SelfTest(case.inputs, {"y": case.outputs["y"] * 1.01}, 1e-3)
    artifact = toys.build(toys.Toy(toy.plan, toy.weights, [wrong]), tmp_path / "wrong")
    code, out, err = cli("verify", artifact.path)
    assert code == 1
    assert "FAILED" in out
    assert "the self-test of" in err


def test_profile(cli, toy_artifact, tmp_path):
    path = tmp_path / "p.json"
    code, out, _ = cli("profile", toy_artifact("routed").path, "--runs", 3, "--json", path)
    assert code == 0
    for text in ("median of 3 runs", "GFLOP/s", "TLS 0.750", "CLS_8 n/a", "3 never used", "arena"):
        assert text in out
    data = json.loads(path.read_text())
    assert [step["kernel"] for step in data["steps"]] == ["route", "expert"]
    assert data["regions"][0]["counts"] == [1, 0, 0, 0]


def test_profile_with_inputs(cli, toy_artifact, x_npz):
    code, out, _ = cli("profile", toy_artifact("mixer").path, "--inputs", x_npz, "--runs", 1)
    assert code == 0
    assert "5 tokens" in out


@pytest.mark.parametrize("name", ["mixer", "routed", "running"])
def test_inspect(cli, toys, tmp_path, golden, name):
    isas = toys.HOST_ISAS
    plan = getattr(toys, name)()
    artifact = toys.build(plan, tmp_path / "out", command="edgemoe compile toy")
    code, out, _ = cli("inspect", artifact.path)
    assert code == 0
    out = re.sub(r"edgemoe \d.*", "edgemoe VERSION", out)
    if isas == ("x86-64", "x86-64-v3"):
        golden(f"inspect_{name}.txt", out)
    assert json.loads(cli("inspect", artifact.path, "--json", "-")[1])["plan"]["target"]
    assert "weight sections:" in cli("inspect", artifact.path, "-v")[1]


def test_report(cli, toy_artifact, tmp_path):
    page = tmp_path / "r.html"
    assert cli("report", toy_artifact("routed").path, "-o", page)[0] == 0
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "toy expert" in text and "<svg" in text
    assert "http" not in text and "<script" not in text
    open_tags = []
    for closing, tag in re.findall(
        r"<(/?)(table|tr|td|th|svg|rect|title|div|h1|h2|p|pre|code|html)\b", text
    ):
        if closing:
            assert open_tags.pop() == tag
        else:
            open_tags.append(tag)
    assert not open_tags


def test_compare_artifacts(cli, toy_artifact, x_npz):
    a = toy_artifact("mixer").path
    code, out, _ = cli("compare", a, toy_artifact("mixer", dispatch="pad").path, "--inputs", x_npz)
    assert code == 0
    assert re.search(r"^y +0 +0 .*exact$", out, re.MULTILINE)
    assert "of the time of A" in out


def test_compare_with_onnx(cli, toy_artifact, toys, tmp_path, x_npz):
    from onnx import TensorProto, helper, numpy_helper, save

    w, b = toys.mixer().weights
    shape = [1, "n", 6]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(w * np.float32(1.001), "w"), numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    save(model, tmp_path / "m.onnx")
    for pair in (("{a}", "{m}"), ("{m}", "{a}"), ("{m}", "{m}")):
        names = {"a": toy_artifact("mixer").path, "m": tmp_path / "m.onnx"}
        sides = [side.format(**names) for side in pair]
        code, out, err = cli("compare", *sides, "--inputs", x_npz, "--json", "-")
        assert code == 0, err
        (item,) = json.loads(out)["outputs"]
        if pair[0] != pair[1]:
            assert 55 < item["sqnr_db"] < 75
    assert cli("compare", tmp_path / "m.onnx", tmp_path / "m.onnx")[0] == 0
    (tmp_path / "bad.onnx").write_text("bad")
    code, _, err = cli("compare", tmp_path / "bad.onnx", tmp_path / "m.onnx")
    assert code == 1 and "ModelError: onnxruntime cannot load" in err


def test_a_zip_works_everywhere(cli, toys, tmp_path, x_npz):
    artifact = toys.build(toys.mixer(), tmp_path / "a.zip")
    assert cli("run", artifact.path, "--inputs", x_npz)[0] == 0
    assert cli("inspect", artifact.path)[0] == 0
    assert cli("report", artifact.path, "-o", tmp_path / "r.html")[0] == 0
    assert cli("verify", artifact.path)[0] == 0


def test_targets(cli):
    code, out, _ = cli("targets")
    assert code == 0
    assert re.search(r"^x86-64 +cpu +x86-64-v3", out, re.MULTILINE)
    assert "aarch64" in {item["name"] for item in json.loads(cli("targets", "--json", "-")[1])}


def test_passes(cli):
    code, out, _ = cli("passes")
    assert code == 0
    data = json.loads(cli("passes", "--json", "-")[1])
    phases = [item["phase"] for item in data]
    assert phases == sorted(phases, key=list(dict.fromkeys(phases)).index)
    assert len(data) == out.count("\n") - 2


@pytest.mark.needs("script")
def test_a_progress_bar_on_a_terminal_and_lines_elsewhere(toy_artifact, tmp_path):
    program = Path(sys.executable).with_name("edgemoe")
    command = [str(program), "profile", str(toy_artifact("mixer").path), "--runs", "2"]
    environment = os.environ | {"EDGEMOE_CACHE": str(tmp_path), "TERM": "xterm"}
    plain = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert plain.stderr.startswith("[1/2] runs\n")
    assert "\x1b" not in plain.stdout + plain.stderr
    terminal = subprocess.run(
        ["script", "-qec", " ".join(command), "/dev/null"], capture_output=True, text=True,
        check=True, env=environment,
    )  # fmt: skip
    assert "\x1b" in terminal.stdout


def test_a_closed_pipe_is_no_error(toy_artifact):
    program = Path(sys.executable).with_name("edgemoe")
    command = f"{program} inspect {toy_artifact('mixer').path} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
