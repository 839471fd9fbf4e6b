"""`compile` and `explain` hand their options on, and print what came out.

The compiler is a fake that records its arguments: what it does with them is tested elsewhere.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from edgemoe.cli import values
from edgemoe.cli.main import app
from edgemoe.compression.settings import Settings
from edgemoe.errors import BudgetError, StrictError


@dataclasses.dataclass(frozen=True)
class FakeExplanation:
    text: str = "two regions"

    def check(self, *, strict=False, require_coverage=None):
        if strict:
            raise StrictError("--strict: 1 place is not optimal")
        if require_coverage is not None:
            raise BudgetError(f"--require-coverage {require_coverage} is not met")


@pytest.fixture
def compiler(monkeypatch, toy_artifact):
    """A module in the place of `edgemoe.compiler`; `calls` holds the arguments."""
    fake = ModuleType("edgemoe.compiler")
    fake.calls = []

    def compile(model, **options):
        fake.calls.append((model, options))
        options["progress"]("import", 1, 2)
        options["progress"]("lower", 2, 2)
        return toy_artifact("mixer")

    def explain(model, **options):
        fake.calls.append((model, options))
        return FakeExplanation()

    fake.compile, fake.explain = compile, explain
    monkeypatch.setitem(sys.modules, "edgemoe.compiler", fake)
    monkeypatch.setattr("edgemoe.compiler", fake, raising=False)
    text = ModuleType("edgemoe.explanation_text")
    text.render = lambda explanation, **options: f"explained: {explanation.text}\n"
    monkeypatch.setitem(sys.modules, "edgemoe.explanation_text", text)
    monkeypatch.setattr("edgemoe.explanation_text", text, raising=False)
    return fake


def cli(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="edgemoe")
    return result.exit_code, result.stdout, result.stderr


def test_defaults(compiler, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/edgemoe", "compile", "my model.onnx"])
    code, out, err = cli("compile", "m.onnx", "-t", "cpu", "-o", tmp_path / "out")
    assert code == 0, err
    ((model, options),) = compiler.calls
    assert model == "m.onnx"
    command, progress = options.pop("command"), options.pop("progress")
    assert command == "edgemoe compile 'my model.onnx'" and callable(progress)
    assert options == {
        "target": "cpu", "out": tmp_path / "out", "tokens": None, "shapes": {}, "cpu": "all",
        "precision": "auto", "kv_cache": "f32", "prune": "auto",
        "calibration": None, "max_loss": None, "max_bytes": None, "check": False,
        "dump": None, "strict": False, "plugins": [],
        "tuning": "auto", "metric": "auto", "save_onnx": None, "compression": Settings(),
        "task_group": {}, "controls": {}, "runner": "local", "max_ram": None,
        "expert_slots": None, "objects": False,
    }  # fmt: skip
    assert "[1/2] import\n[2/2] lower\n" in err
    assert "toy-mixer for toy-cpu" in out and "weights 88 B, arena 184 B" in out


def test_all_options(compiler, tmp_path):
    (tmp_path / "c.npz").write_bytes(b"")
    code, out, err = cli(
        "compile", "a.b:f", "-t", "cpu", "-o", tmp_path / "out", "--calibration",
        tmp_path / "c.npz", "--max-loss", "0.5%", "--max-bytes", "2M", "--precision", "i8",
        "--prune", "25%", "--tokens", "64,1,8", "--shape", "T=8", "--shape", "x=1x512x7",
        "--cpu", "native", "--tuning", "none", "--name", "mine", "--check", "--dump",
        tmp_path / "d",
        "--plugin", "a.py", "--plugin", "b.py", "--explain", "--strict", "--zip", "--time-passes",
        "--json", tmp_path / "r.json", "--metric", "kl", "--prune-method", "reap",
        "--prune-scope", "layer", "--rounding", "nearest", "--seed", "3", "--search-time", "7",
        "--objective", "both", "--runner", "ssh:me@board", "--skip-experts", "50%",
        "--drop-layers", "2", "--task", "domain=code", "--kv-cache", "i8",
        "--confident", "--save-onnx", tmp_path / "m.onnx", "--control", "dense=d.onnx",
        "--control", "linear=a.b:c=d",
    )  # fmt: skip
    assert code == 0, err
    (_, explained), (model, options) = compiler.calls
    assert model == "a.b:f"
    shared = {"plugins": [Path("a.py"), Path("b.py")], "shapes": {"T": 8, "x": (1, 512, 7)}}
    assert explained == {"tokens": [1, 8, 64], **shared}
    expected = {
        "tokens": [1, 8, 64], **shared, "max_loss": 0.005,
        "max_bytes": 2 << 20, "precision": "i8", "prune": "25%", "cpu": "native", "name": "mine",
        "kv_cache": "i8", "check": True, "dump": tmp_path / "d", "strict": True,
        "out": tmp_path / "out.zip",
        "calibration": tmp_path / "c.npz", "tuning": "none", "metric": "kl",
        "save_onnx": tmp_path / "m.onnx",
        "compression": Settings(
            prune_method="reap", prune_scope="layer", rounding="nearest", seed=3, seconds=7,
            confident=True, skip=0.5, drop_branches=2, objective="both",
        ),
        "task_group": {"domain": "code"}, "runner": "ssh:me@board",
        "controls": {"dense": "d.onnx", "linear": "a.b:c=d"},
    }  # fmt: skip
    assert {key: options[key] for key in expected} == expected
    assert out.startswith("explained: two regions\n")
    assert re.search(r"^ *\d\.\d+  import$", out, re.MULTILINE)
    assert json.loads((tmp_path / "r.json").read_text())["manifest"]["name"] == "toy-mixer"


def test_a_budget_is_3(compiler, tmp_path):
    def compile(model, **options):
        raise BudgetError("tsmixer needs 3 B, 2 B are allowed; try --max-bytes 3")

    compiler.compile = compile
    code, _, err = cli("compile", "m.onnx", "-t", "cpu", "-o", tmp_path / "out")
    assert (code, err) == (
        3,
        "BudgetError: tsmixer needs 3 B, 2 B are allowed; try --max-bytes 3\n",
    )


def test_missing_calibration(compiler, tmp_path):
    code, _, err = cli(
        "compile", "m.onnx", "-t", "cpu", "-o", tmp_path / "o", "--calibration", "no.npz"
    )
    assert (code, err) == (1, "OptionError: --calibration no.npz does not exist; give an .npz\n")
    assert not compiler.calls


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--tokens", "1,x", "'1,x' are no token counts; give for example 1,8,64"),
        ("--tokens", "0", "'0' are no token counts"),
        ("--max-loss", "150%", "'150%' is no ratio; give for example 0.5%"),
        ("--max-bytes", "2 apples", "'2 apples' is no size; give for example"),
        ("--shape", "T", "'T' is no shape; give for example T=8 or x=1x512x7"),
        ("--prune", "100%", "'100%': give auto, none or a ratio below 1"),
        ("--control", "d.onnx", "'d.onnx' is no control; give for example dense=small.onnx"),
    ],
)
def test_values_that_are_none(compiler, tmp_path, option, value, message):
    code, _, err = cli("compile", "m", "-t", "cpu", "-o", tmp_path / "o", option, value)
    assert code == 2
    assert message in " ".join(err.split())
    assert not compiler.calls


def test_explain(compiler):
    code, out, _ = cli("explain", "m.onnx", "--tokens", "8", "--shape", "T=8")
    assert (code, out) == (0, "explained: two regions\n")
    assert compiler.calls == [("m.onnx", {"tokens": [8], "shapes": {"T": 8}, "plugins": []})]
    assert json.loads(cli("explain", "m.onnx", "--json", "-")[1]) == {"text": "two regions"}
    code, out, err = cli("explain", "m.onnx", "--json", "-", "--strict")
    assert (code, err) == (1, "StrictError: --strict: 1 place is not optimal\n")
    assert json.loads(out)["text"] == "two regions"
    code, out, err = cli("explain", "m.onnx", "--json", "-", "--require-coverage", "0.9")
    assert (code, json.loads(out)["error"]["type"]) == (3, "BudgetError")
    assert cli("explain", "m.onnx", "--require-coverage", "90%")[0] == 2


def test_sizes():
    cases = {"12": 12, "1K": 1024, "1.5M": 3 << 19, "2MiB": 2 << 20, "1gb": 1 << 30}
    assert {text: values.nbytes(text) for text in cases} == cases
    assert values.nbytes(None) is None and values.ratio(None) is None


def test_it_refuses_early_to_overwrite_a_stranger(compiler, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    code, _, err = cli("compile", "m.onnx", "-t", "cpu", "-o", tmp_path / "photos")
    assert code == 1
    assert "photos exists and is no edgemoe artifact; it was not touched" in err
    assert not compiler.calls
