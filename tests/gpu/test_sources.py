"""Sources for devices that are not here: another compiler reads them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import edgemoe

CASES = [
    ("adreno", "sensor_moe:sensor_moe", "f16", "f32"),
    ("mali", "moe_lm:char_moe", "i4", "i8"),
    ("adreno", "digits_mixer:digits", "i8", "f32"),
    ("adreno", "forecaster:etth1", "f32", "f32"),
]
"""Target, model, format of weights, of KV caches."""


@pytest.mark.needs("clang")
@pytest.mark.parametrize(("target", "model", "precision", "cache"), CASES)
def test_clang_reads_kernels_with_halves(
    target: str, model: str, precision: str, cache: str, tmp_path: Path
) -> None:
    """Every kernel, as OpenCL C 1.2 and 3.0, with cl_khr_fp16 and what else the device may have."""
    artifact = edgemoe.compile(
        f"edgemoe.models.{model}", target=target, out=tmp_path / "m.em", precision=precision,
        kv_cache=cache, tokens=[1, 8] if "_lm" in model else None,
    )  # fmt: skip
    needs = json.loads((tmp_path / "m.em/manifest.json").read_text())["gpu"]
    assert needs["fp16"] and needs["local_bytes"] <= 32768
    sources = sorted((tmp_path / "m.em/kernels").glob("*.cl"))
    assert len(sources) == len(artifact.plan.kernels)
    assert sum("half*" in path.read_text() for path in sources) > len(sources) // 2
    for standard in ("CL1.2", "CL3.0"):
        command = ["clang", "-x", "cl", f"-cl-std={standard}", "-Xclang",
                   "-finclude-default-header", "-Xclang", "-cl-ext=+cl_khr_fp16",
                   "-fsyntax-only", "-Werror", *map(str, sources)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
