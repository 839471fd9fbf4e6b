"""Sources for devices that are not here: another compiler reads them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import edgemoe


@pytest.mark.needs("clang")
@pytest.mark.parametrize("target", ["adreno", "mali"])
def test_clang_reads_kernels_with_halves(target: str, tmp_path: Path) -> None:
    edgemoe.compile(
        "edgemoe.models.sensor_moe:sensor_moe", target=target, out=tmp_path / "m.em",
        precision="f16",
    )  # fmt: skip
    needs = json.loads((tmp_path / "m.em/manifest.json").read_text())["gpu"]
    assert needs["fp16"] and needs["local_bytes"] <= 32768
    for source in sorted((tmp_path / "m.em/kernels").glob("*.cl")):
        command = ["clang", "-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header",
                   "-fsyntax-only", "-Werror", str(source)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
