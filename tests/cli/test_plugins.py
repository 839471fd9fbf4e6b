"""Passes and router families outside the tree, from the command line to the artifact.

The plug-ins are the examples of docs/writing-a-pass.md, read from there.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

from edgemoe.cli.main import app

T, H, E = 4, 6, 3

SQUARES = """
<ir_version: 10, opset_import: ["" : 21]>
layer (float[4,6] x) => (float[4,6] y) {
  two = Constant <value_ints = [2]> ()
  flat = Constant <value_ints = [-1]> ()
  axis1 = Constant <value_ints = [1]> ()
  last = Constant <value_ints = [2]> ()
  repeat = Constant <value_ints = [4, 2, 6]> ()
  rows = Constant <value_ints = [-1, 6]> ()
  column = Constant <value_ints = [-1, 1]> ()
  logits = MatMul (x, R)
  p = Softmax <axis = -1> (logits)
  v, ids = TopK (p, two)
  square = Mul (v, v)
  total = ReduceSum <keepdims = 1> (square, axis1)
  w = Div (square, total)
  ids1 = Reshape (ids, flat)
  wide = Unsqueeze (x, axis1)
  many = Expand (wide, repeat)
  xs = Reshape (many, rows)
  xc = Unsqueeze (xs, last)
  Wg = Gather <axis = 0> (W, ids1)
  y3 = MatMul (Wg, xc)
  ys = Squeeze (y3, last)
  wc = Reshape (w, column)
  weighted = Mul (ys, wc)
  apart = Reshape (weighted, repeat)
  y = ReduceSum <keepdims = 0> (apart, axis1)
}
"""

ONE_HOT = """
<ir_version: 10, opset_import: ["" : 21]>
layer (float[4,6] x) => (float[4,6] y) {
  one = Constant <value_ints = [1]> ()
  flat = Constant <value_ints = [-1]> ()
  axis1 = Constant <value_ints = [1]> ()
  depth = Constant <value_int = 3> ()
  values = Constant <value_floats = [0.0, 1.0]> ()
  cube = Constant <value_ints = [4, 6, 6]> ()
  logits = MatMul (x, R)
  p = Softmax <axis = -1> (logits)
  w, ids = TopK (p, one)
  ids1 = Reshape (ids, flat)
  hot = OneHot (ids1, depth, values)
  mixed = MatMul (hot, W)
  M = Reshape (mixed, cube)
  xr = Unsqueeze (x, axis1)
  y3 = MatMul (xr, M)
  ys = Squeeze (y3, axis1)
  y = Mul (ys, w)
}
"""


def _save(source: str, weight: tuple[int, ...], path: Path) -> Path:
    model = onnx.parser.parse_model(source)
    random = np.random.default_rng(0)
    for name, shape in (("R", (H, E)), ("W", weight)):
        array = random.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.save(model, path)
    return path


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    return _save(SQUARES, (E, H, H), tmp_path / "squares.onnx")


@pytest.fixture
def one_hot(tmp_path: Path) -> Path:
    return _save(ONE_HOT, (E, H * H), tmp_path / "one_hot.onnx")


@pytest.fixture
def examples(tmp_path: Path) -> dict[str, Path]:
    """The examples of the guide as files, by the name of what they declare."""
    text = (Path(__file__).parents[2] / "docs" / "writing-a-pass.md").read_text("utf-8")
    found = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        declared = re.search(r"@(?:router_family|graph_pass).*\n(?:@.*\n)*def (\w+)", block)
        if declared and '"""' in block.splitlines()[0]:
            path = tmp_path / f"{declared[1]}.py"
            path.write_text(block, "utf-8")
            found[declared[1]] = path
    return found


def cli(*arguments: Any) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="edgemoe")
    return result.exit_code, result.stdout, result.stderr


def test_a_router_family_from_outside(squares: Path, examples: dict[str, Path]) -> None:
    code, out, _ = cli("explain", squares)
    assert code == 0 and "the router of MoE_0 stays ordinary operators" in out
    code, out, err = cli("explain", squares, "--plugin", examples["squared_topk"])
    assert (code, err) == (0, "")
    assert "Route_0: squared_topk over 3 experts" in out and "stays ordinary" not in out
    assert f"plug-ins: {examples['squared_topk']}" in " ".join(out.split())


def test_an_expert_form_from_outside(one_hot: Path, examples: dict[str, Path]) -> None:
    assert "no experts were recognised" in cli("explain", one_hot)[1]
    plugin = examples["recognise_one_hot_weights"]
    code, out, _ = cli("explain", one_hot, "--plugin", plugin, "--json", "-")
    data = json.loads(out)
    assert code == 0 and data["plugins"] == [str(plugin)]
    facts = [c["facts"] for c in data["candidates"] if c["subject"] == "experts"]
    assert [(f["E"], f["k"], f["T"]) for f in facts] == [(E, 1, T)]


def test_both_the_whole_way(
    squares: Path, one_hot: Path, examples: dict[str, Path], tmp_path: Path
) -> None:
    plugins = [examples["squared_topk"], examples["recognise_one_hot_weights"]]
    options = [part for path in plugins for part in ("--plugin", path)]
    for model in (squares, one_hot):
        out = tmp_path / f"{model.stem}.em"
        code, _, err = cli("compile", model, "-t", "cpu", "-o", out, "--cpu", "native", "--check",
                           *options)  # fmt: skip
        assert code == 0, err
        assert cli("verify", out)[0] == 0
        manifest = json.loads((out / "manifest.json").read_text("utf-8"))
        plan = json.loads((out / "plan.json").read_text("utf-8"))
        used = {d["choice"]: d["reason"] for d in plan["decisions"] if d["subject"] == "plug-in"}
        for path in plugins:
            assert re.fullmatch("[0-9a-f]{64}", manifest["versions"][f"plug-in {path}"])
            assert path.stem in used[str(path)] and "sha256" in used[str(path)]
        assert any(d["subject"] == "experts" and d["choice"] == "matched"
                   for d in plan["decisions"])  # fmt: skip


def test_passes_lists_them(examples: dict[str, Path]) -> None:
    plugin = examples["recognise_one_hot_weights"]
    assert "recognise_one_hot_weights" in cli("passes", "--plugin", plugin)[1]
    assert "recognise_one_hot_weights" not in cli("passes")[1]


BROKEN = {
    "x = (\n": ("SyntaxError", ":1: loading it raised SyntaxError"),
    "x = 1\ny = x.nothing\n": ("AttributeError", ":2: loading it raised AttributeError"),
    "x = 1\n": ("", "declares no pass and no router family"),
    "from edgemoe.graph_pass import graph_pass\n@graph_pass(phase='import')\n"
    "def mine(model, context):\n    return 1 // 0\n": (
        "ZeroDivisionError", ":4: pass 'mine' raised ZeroDivisionError"),
    "from edgemoe.graph_pass import graph_pass\n@graph_pass(phase='import')\n"
    "def mine(model, context):\n    pass\n": ("", "pass 'mine' returned None"),
    "from edgemoe.router_family import router_family\n@router_family\n"
    "def mine(site):\n    return site.absent\n": (
        "AttributeError", ":4: router family 'mine' raised AttributeError"),
    "from edgemoe.router_family import router_family\n@router_family\n"
    "def mine(site):\n    return None\n": ("", "router family 'mine' returned None"),
    "from edgemoe.graph_pass import graph_pass\n@graph_pass(phase='canonicalise')\n"
    "def tidy(model, context):\n    return 0\n": ("", "two passes are named 'tidy'"),
}  # fmt: skip


@pytest.mark.parametrize("source", BROKEN, ids=range(len(BROKEN)))
def test_mistakes_of_plugins_name_file_and_line(squares: Path, tmp_path: Path, source: str) -> None:
    kind, message = BROKEN[source]
    path = tmp_path / "broken.py"
    path.write_text(source, "utf-8")
    code, _, err = cli("explain", squares, "--plugin", path)
    assert code == 1
    assert err.startswith("OptionError: ") and message in err and kind in err
    assert "two passes" in message or str(path) in err
    assert "Traceback" not in err


def test_a_missing_plugin(squares: Path) -> None:
    code, _, err = cli("explain", squares, "--plugin", "absent.py")
    assert code == 1 and err.startswith("OptionError: plug-in absent.py is no such Python file")


def test_a_plugin_of_an_installed_package(
    squares: Path, examples: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(examples["squared_topk"].parent))
    point = importlib.metadata.EntryPoint("squares", "squared_topk", "edgemoe.plugins")
    original = importlib.metadata.entry_points

    def entry_points(**options: Any) -> Any:
        return [point] if options == {"group": "edgemoe.plugins"} else original(**options)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    code, out, err = cli("explain", squares)
    sys.modules.pop("squared_topk", None)
    assert code == 0, err
    assert "Route_0: squared_topk" in out and "plug-ins: squares (squared_topk)" in out
