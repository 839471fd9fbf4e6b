"""The runtime needs NumPy alone, and importing is fast."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def python(code: str, executable: str = sys.executable) -> str:
    done = subprocess.run(
        [executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_edgemoe_is_fast():
    """Measured against an empty interpreter; the limit is for what we add."""
    best = {}
    for code in ("pass", "import edgemoe"):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            python(code)
            times.append(time.perf_counter() - start)
        best[code] = min(times)
    assert best["import edgemoe"] - best["pass"] < 0.15


@pytest.mark.parametrize("module", ["edgemoe", "edgemoe.runtime", "edgemoe.cli.main"])
def test_import_loads_nothing_heavy(module):
    heavy = "{'numpy', 'torch', 'tvm', 'onnx', 'onnx_ir', 'onnxruntime', 'scipy'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    assert python(code) == "[]"


def test_the_runtime_imports_only_numpy():
    code = (
        "import sys, pkgutil, importlib, edgemoe.runtime as r\n"
        "[importlib.import_module(f'edgemoe.runtime.{m.name}')"
        " for m in pkgutil.iter_modules(r.__path__)]\n"
        "ours = sorted(m for m in sys.modules if m.startswith('edgemoe.') "
        "and not m.startswith('edgemoe.runtime'))\n"
        "print(ours, 'onnx' in sys.modules, 'typer' in sys.modules)"
    )
    assert python(code) == "[] False False"


@pytest.mark.needs("python:venv", "python:pip")
def test_a_bare_environment_runs_an_artifact(toy_artifact, toys, tmp_path):
    """A fresh environment with NumPy and `pip install --no-deps` of this project."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    executable = str(tmp_path / "venv" / "bin" / "python")
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(ROOT, tmp_path / "project", symlinks=True, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--python", executable, "install", "--quiet",
           "--disable-pip-version-check"]  # fmt: skip
    steps = (
        ["numpy", "setuptools>=77"],
        ["--no-deps", "--no-build-isolation", str(tmp_path / "project")],
    )
    for arguments in steps:
        done = subprocess.run(
            [*pip, *arguments], capture_output=True, text=True, check=False,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip
        if done.returncode and arguments[0] == "numpy":
            pytest.skip("needs a package index for NumPy, which cannot be reached")
        assert done.returncode == 0, done.stderr
    case = toys.mixer().selftests[0]
    np.save(tmp_path / "x.npy", case.inputs["x"])
    code = (
        "import numpy, edgemoe.runtime as r\n"
        f"s = r.load({str(toy_artifact('mixer').path)!r}, check=True)\n"
        f"print(s.run({{'x': numpy.load({str(tmp_path / 'x.npy')!r})}})['y'].tolist())"
    )
    assert python(code, executable) == str(case.outputs["y"].tolist())
    code = (
        "from importlib import resources as r\n"
        "print(sum(f.name.endswith(('.c', '.h')) for f in r.files('edgemoe.runtime.c').iterdir()))"
    )
    sources = [*(ROOT / "runtime" / "c").glob("*.[ch]")]
    assert python(code, executable) == str(len(sources))
