"""The demo page: python -m edgemoe.models.web_demo -o DIR, then python -m http.server -d DIR.

Compiles the character model, the digits mixer and the ETTh1 forecaster for WebGPU and writes the
page beside them. ETTh1 does not ship: without --etth1 the page forecasts daily cycles.
"""

from __future__ import annotations

import argparse
import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import edgemoe
from edgemoe.artifact import Artifact
from edgemoe.errors import EdgemoeError
from edgemoe.models.checkpoint import DATA

TARGET = "webgpu"
MODELS: dict[str, dict[str, Any]] = {
    "char_moe": {"model": "edgemoe.models.moe_lm:char_moe", "tokens": [1, 8, 64]},
    "digits": {"model": "edgemoe.models.digits_mixer:digits"},
    "etth1": {"model": "edgemoe.models.forecaster:etth1"},
}
CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
_WINDOWS = 6


def write_page(folder: Path, *, etth1: Path | None = None, target: str = TARGET) -> list[Artifact]:
    """Write page and models to `folder`, and return the artifacts.

    Args:
        folder: made when it is not there; files of the page in it are replaced.
        etth1: ETTh1.csv; windows of its test split are shown with what came.
        target: what the models are compiled for, of the family webgpu.

    Raises:
        EdgemoeError: a model cannot be compiled or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    artifacts = []
    for name, options in MODELS.items():
        artifacts.append(
            edgemoe.compile(
                options["model"], target=target, out=folder / name, tokens=options.get("tokens")
            )
        )
    page = resources.files("edgemoe.targets.gpu.web").joinpath("demo")
    for item in page.iterdir():
        with resources.as_file(item) as source:
            shutil.copyfile(source, folder / item.name)
    _write(folder / "digits" / "examples.json", digits())
    _write(folder / "etth1" / "windows.json", windows(etth1))
    return artifacts


def digits() -> list[dict[str, Any]]:
    """One held-out image per digit: {"label", "image": 64 numbers in 0..1}."""
    with np.load(DATA / "digits_test.npz") as file:
        images, labels = file["image"], file["label"]
    first = [int(np.flatnonzero(labels == digit)[0]) for digit in range(10)]
    return [
        {"label": int(labels[place]), "image": (images[place].reshape(-1) / 16).tolist()}
        for place in first
    ]


def windows(etth1: Path | None) -> dict[str, Any]:
    """Windows of 512 hours and 7 series for the forecaster, and what came where that is known."""
    from edgemoe.models.forecaster import ETTH1

    if etth1 is None:
        hours = np.arange(ETTH1.context)[:, None] + 3.0 * np.arange(ETTH1.channels)
        cycles = [("1 day", 12.0), ("12 hours", 6.0), ("2 days", 24.0)]
        found = [{"name": name, "x": _numbers(np.sin(hours * np.pi / p))} for name, p in cycles]
        what = "512 hours of seven sine waves, and the next 96 (--etth1 ETTh1.csv shows data)."
    else:
        from edgemoe.models.series import etth1_series

        x, y = etth1_series(etth1).windows("test", ETTH1.context, ETTH1.horizon)
        places = np.linspace(0, len(x) - 1, _WINDOWS).astype(int)
        found = [
            {"name": f"test window {place}", "x": _numbers(x[place]), "y": _numbers(y[place])}
            for place in places.tolist()
        ]
        what = "ETTh1, loads and oil temperature of a transformer: the next 96 hours (test part)."
    return {"what": what, "channels": list(CHANNELS), "windows": found}


def _numbers(values: Any) -> list[float]:
    return [round(float(value), 5) for value in np.asarray(values).reshape(-1)]


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data) + "\n", "utf-8")


def main() -> int:
    """Write the page; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--etth1", type=Path, help="ETTh1.csv, for windows with what came")
    parser.add_argument("-t", "--target", default=TARGET)
    given = parser.parse_args()
    try:
        artifacts = write_page(given.output, etth1=given.etth1, target=given.target)
    except (EdgemoeError, OSError) as error:
        parser.exit(1, f"{type(error).__name__}: {error}\n")
    for artifact in artifacts:
        nbytes = sum(file["bytes"] for file in artifact.manifest["files"].values())
        print(f"{artifact.path}: {nbytes:,} B")
    print(f"now: python -m http.server -d {given.output}, and open http://localhost:8000")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
