"""`edgemoe explain` whole: the schema of its JSON, exit codes, text in 100 columns, colours."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

import edgemoe
from edgemoe.cli.main import app
from edgemoe.errors import BudgetError, StrictError

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\nlayer (float[4,6] x) => (float[4,6] y) {\n'

ROUTER = """
  two = Constant <value_ints = [2]> ()
  flat = Constant <value_ints = [-1]> ()
  axis1 = Constant <value_ints = [1]> ()
  last = Constant <value_ints = [2]> ()
  repeat = Constant <value_ints = [4, 2, 6]> ()
  rows = Constant <value_ints = [-1, 6]> ()
  column = Constant <value_ints = [-1, 1]> ()
  logits = MatMul (x, R)
  p = Softmax <axis = -1> (logits)
  w, ids = TopK (p, two)
"""

GATHERED = HEADER + ROUTER + """
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
  sparse = ReduceSum <keepdims = 0> (apart, axis1)
  s1 = MatMul (x, S)
  g1 = MatMul (x, G)
  g2 = Sigmoid (g1)
  shared = Mul (s1, g2)
  y = Add (sparse, shared)
}
"""  # fmt: skip

DENSE = HEADER + ROUTER + """
  axis0 = Constant <value_ints = [0]> ()
  zeros = Constant <value = float[4,3] {0,0,0,0,0,0,0,0,0,0,0,0}> ()
  R2 = ScatterElements <axis = 1> (zeros, ids, w)
  every = MatMul (wide0, W)
  wide0 = Unsqueeze (x, axis0)
  Rt = Transpose <perm = [1, 0]> (R2)
  Rc = Unsqueeze (Rt, last)
  scaled = Mul (every, Rc)
  bent = Tanh (scaled)
  y = ReduceSum <keepdims = 0> (bent, axis0)
}
""".replace("  every = MatMul (wide0, W)\n  wide0 = Unsqueeze (x, axis0)\n",
            "  wide0 = Unsqueeze (x, axis0)\n  every = MatMul (wide0, W)\n")  # fmt: skip

UNSUPPORTED = (
    HEADER
    + """
  a = MatMul (x, S)
  m = Greater (a, x)
  n = NonZero (m)
  t = Transpose <perm = [1, 0]> (n)
  v = GatherND (x, t)
  y = ScatterND <reduction = "add"> (a, t, v)
}
"""
)


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    shapes = {"R": (6, 3), "W": (3, 6, 6), "S": (6, 6), "G": (6, 1)}
    random = np.random.default_rng(0)
    found = {}
    sources = {"gathered": GATHERED, "dense": DENSE, "unsupported": UNSUPPORTED}
    for name, source in sources.items():
        model = onnx.parser.parse_model(source)
        for key, shape in shapes.items():
            if re.search(rf"[(, ]{key}[,)]", source):
                array = random.standard_normal(shape).astype(np.float32)
                model.graph.initializer.append(numpy_helper.from_array(array, key))
        found[name] = tmp_path / f"{name}.onnx"
        onnx.save(model, found[name])
    return found


def cli(*arguments: Any) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="edgemoe")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def explained(path: Path, *options: Any) -> dict[str, Any]:
    code, out, err = cli("explain", path, "--json", "-", *options)
    assert code == 0, err
    data: dict[str, Any] = json.loads(out)
    return data


def keys(data: Any, place: str = "") -> set[str]:
    """Every key with its type; the keys of `facts` and `generic_ops` depend on the model."""
    kind = {"int": "integer", "float": "number", "str": "string", "bool": "boolean",
            "NoneType": "null", "list": "list", "dict": "object"}[type(data).__name__]  # fmt: skip
    found = {f"{place}: {kind}"} if place else set()
    if isinstance(data, list):
        for item in data:
            found |= keys(item, f"{place}[]")
    elif isinstance(data, dict) and place.rpartition(".")[2] not in ("facts", "generic_ops"):
        for key, value in data.items():
            found |= keys(value, f"{place}.{key}".lstrip("."))
    return found


def test_the_schema_is_pinned_and_documented(
    models: dict[str, Path], golden: Callable[[str, str], None]
) -> None:
    found: set[str] = set()
    for path in models.values():
        found |= keys(explained(path))
    golden("explain_schema.txt", "\n".join(sorted(found)) + "\n")
    text = (Path(__file__).parents[2] / "docs" / "explain.md").read_text("utf-8")
    for line in found:
        key = line.partition(":")[0]
        assert key.endswith("[]") or f"`{key}`" in text, f"docs/explain.md does not list {key}"


def test_facts_of_experts_and_their_shared_expert(models: dict[str, Path]) -> None:
    data = explained(models["gathered"])
    assert data["schema"] == 1
    (experts, router) = data["candidates"]
    facts = experts["facts"]
    assert {"form": "indexed", "E": 3, "k": 2, "T": 4}.items() <= facts.items()
    assert facts["weights"] == ["W"] and facts["weight_nbytes"] == 4 * 3 * 36
    assert facts["shared_experts"] == {
        "count": 1, "gated": True, "weights": ["S", "G"], "weight_nbytes": 4 * 42,
    }  # fmt: skip
    assert router["subject"] == "router" and router["facts"]["form"] == "topk"
    assert data["coverage"]["expert_share"] == data["coverage"]["macs_share"] == 1
    macs = {row["role"]: row["macs"] for row in data["census"]}
    assert macs == {"expert": 4 * 2 * 36, "router": 4 * 18, "shared expert": 4 * 42}
    assert data["coverage"]["macs"] == sum(macs.values())


def test_dense_experts_say_how_many_times_too_much(models: dict[str, Path]) -> None:
    data = explained(models["dense"])
    (miss,) = (c for c in data["candidates"] if not c["matched"])
    assert miss["facts"]["dense"] and miss["facts"]["weights"] == ["W"]
    assert any("1.5 times the multiply-accumulates" in text for text in data["warnings"])
    assert data["coverage"]["expert_share"] == 0


def test_what_cannot_be_compiled_is_a_warning(models: dict[str, Path]) -> None:
    data = explained(models["unsupported"])
    (node,) = data["unsupported"]
    assert node["op"] == "NonZero" and "depends on data" in node["reason"]
    assert any("operator NonZero cannot be compiled" in text for text in data["warnings"])


def test_strict_is_1_and_lists_what_is_not_optimal(models: dict[str, Path], tmp_path: Path) -> None:
    assert cli("explain", models["gathered"], "--strict")[0] == 0
    path = tmp_path / "e.json"
    code, out, err = cli("explain", models["dense"], "--strict", "--json", path)
    assert code == 1 and "Not recognised" in out
    assert err.startswith("StrictError: --strict: ") and "dense experts at" in err
    data = json.loads(path.read_text())
    assert data["error"]["type"] == "StrictError" and data["coverage"]["expert_nbytes"] == 432
    assert cli("explain", models["unsupported"], "--strict")[0] == 1


def test_coverage_that_is_not_met_is_3(models: dict[str, Path]) -> None:
    assert cli("explain", models["gathered"], "--require-coverage", "1")[0] == 0
    code, out, err = cli("explain", models["dense"], "--require-coverage", "0.95", "--json", "-")
    assert code == 3
    assert "0.0% of 432 B of expert weights" in err and "multiply-accumulates run on" in err
    assert json.loads(out)["error"]["type"] == "BudgetError"
    assert cli("explain", models["dense"], "--require-coverage", "2")[0] == 2


def test_from_python_more_than_once(models: dict[str, Path]) -> None:
    for _ in range(2):  # the function stays a function after its modules were imported
        found = edgemoe.explain(models["dense"])
    assert found.coverage.expert_share == 0 and found.to_json()["schema"] == 1
    with pytest.raises(StrictError, match="experts not recognised at"):
        found.check(strict=True)
    with pytest.raises(BudgetError, match=r"--require-coverage 0.5 is not met"):
        found.check(require_coverage=0.5)
    found.check()


def test_text_is_at_most_100_columns_wide(models: dict[str, Path]) -> None:
    for path in models.values():
        for options in ((), ("-v",)):
            out = cli("explain", path, *options)[1]
            assert max(map(len, out.splitlines())) <= 100
            assert "\x1b" not in out


def test_colours_on_a_terminal_only(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgemoe.cli import console
    from edgemoe.explanation_text import render

    found = edgemoe.explain(models["dense"])
    assert "\x1b[33mNot recognised" in render(found, colour=True)
    assert re.sub(r"\x1b\[\d+m", "", render(found, colour=True)) == render(found)
    monkeypatch.delenv("NO_COLOR", raising=False)
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as terminal:
        assert console.wants_colour(terminal)
        monkeypatch.setenv("NO_COLOR", "1")
        assert not console.wants_colour(terminal)
    os.close(leader)
