"""Strips of an image with scales of their own: what they gain where one strip holds outliers.

    python -m benchmarks.microcontroller_outliers --etth1 ETTh1.csv --json F
    python -m benchmarks.microcontroller_outliers --table F

The image is a spectrum: magnitudes of 32 frequencies in 16 windows of 64 hours of one of the seven
series of ETTh1, whose lowest frequencies are many times as large as the others. A network of
convolutions is trained to tell the series, in float32, and compiled for a Cortex-M4 with less and
less of the arena that it takes without a limit: as `--max-ram` makes it, and with the scales that
all strips share. Accuracy and errors are those of artifacts on the test split against float32, run
on this machine with the bits of the core; instructions are QEMU's, not cycles.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

import edgemoe
from benchmarks.compression.tables import table
from benchmarks.machine import facts
from edgemoe.integer import strip_scales
from edgemoe.runtime.mcu_profile import profile_mcu

Array = NDArray[Any]

TARGET, FREQUENCIES, FRAMES, WINDOW, HOP = "cortex-m4", 32, 16, 64, 16
SHARES = (0.6, 0.5, 0.35)
"""Limits, as shares of the arena without one."""
CALIBRATED, TESTED, STEPS = 128, 600, 400
HEADS = (
    "--max-ram", "scales", "arena", "flash", "MACs", "instructions", "rms error", "accuracy",
)  # fmt: skip
CONTROL_HEADS = ("--max-ram", "tried", "squared error", "constants", "arena")


def spectra(path: Path) -> dict[str, tuple[Array, Array]]:
    """Images float32 [n, 1, 1, FREQUENCIES, FRAMES] and labels [n], by split."""
    series = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, 8))
    ends = {"train": (0, 8640), "validate": (8640, 11520), "test": (11520, 14400)}
    mean, spread = series[:8640].mean(0), series[:8640].std(0)
    series = (series - mean) / spread
    length = WINDOW + HOP * (FRAMES - 1)
    hann = np.hanning(WINDOW)
    found = {}
    for split, (first, last) in ends.items():
        images, labels = [], []
        for start in range(first, last - length, 7):
            frames = np.stack([series[start + HOP * n :][:WINDOW] for n in range(FRAMES)])
            bins = np.abs(np.fft.rfft(frames * hann[None, :, None], axis=1))[:, :FREQUENCIES]
            images.append(bins.transpose(2, 1, 0))  # [series, frequency, frame]
            labels.append(np.arange(series.shape[1]))
        stacked = np.concatenate(images).astype(np.float32)
        found[split] = stacked[:, None, None], np.concatenate(labels)
    return found


def trained(images: Array, labels: Array) -> Any:
    """The network, in float32: convolutions around a ConvMixer block, then one product."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.deep = nn.Conv2d(channels, channels, 3, groups=channels, padding=1)
            self.point = nn.Conv2d(channels, channels, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.point(x + nn.functional.gelu(self.deep(x))))

    torch.manual_seed(0)
    last = 8 * (FREQUENCIES // 2) * (FRAMES // 2)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), Block(8),
        nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(last, 7),
    )  # fmt: skip
    x, y = torch.from_numpy(images[:, 0]), torch.from_numpy(labels)
    chance, optimiser = (
        torch.Generator().manual_seed(0),
        torch.optim.AdamW(model.parameters(), 2e-3),
    )
    for _ in range(STEPS):
        some = torch.randint(len(x), (64,), generator=chance)
        loss = nn.functional.cross_entropy(model(x[some]), y[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def measured(data: Mapping[str, tuple[Array, Array]], room: Path) -> dict[str, Any]:
    """Both programs, and float32."""
    import torch

    model = trained(*data["train"])
    images, _ = data["validate"]
    some = np.random.default_rng(0).permutation(len(images))[:CALIBRATED]
    tested = np.random.default_rng(1).permutation(len(data["test"][0]))[:TESTED]
    test = tuple(array[tested] for array in data["test"])
    with torch.no_grad():
        floats = model(torch.from_numpy(test[0][:, 0])).numpy()
    example = (torch.zeros(1, 1, FREQUENCIES, FRAMES),)

    def compiled(name: str, max_ram: int | None) -> Any:
        return edgemoe.compile(
            (model, example), target=TARGET, out=room / name, precision="i8", name="spectrum",
            calibration={"input": images[some]}, max_ram=max_ram,
        )  # fmt: skip

    whole = compiled("whole", None)
    results = [_result(None, "of tensors", whole, test, floats)]
    for share in SHARES:
        limit = int(whole.plan.variants[0].arena_bytes * share)
        with patch.object(strip_scales, "OUTLIER", float("inf")):  # no strip has outliers
            common = compiled(f"common{share}", limit)
        results.append(_result(limit, "common to strips", common, test, floats))
        own = compiled(f"own{share}", limit)
        strips = own.report()["integers"]["strips"]
        results.append(_result(limit, strips["choice"], own, test, floats) | {"strips": strips})
        print(json.dumps(results[-2:], indent=1), file=sys.stderr)
    right = float((floats.argmax(1) == test[1]).mean())
    return {"float32": right, "results": results}


def _result(
    limit: int | None, scales: str, artifact: Any, test: tuple[Array, ...], floats: Array
) -> dict[str, Any]:
    with edgemoe.load(artifact.path) as session:
        logits = np.concatenate([
            next(iter(session.run({"input": image}).values())) for image in test[0]
        ])  # fmt: skip
    memory = json.loads((artifact.path / "manifest.json").read_text("utf-8"))["memory"]
    flash = memory["flash"]
    return {
        "max_ram": limit, "scales": scales,
        "arena_bytes": artifact.plan.variants[0].arena_bytes,
        "flash_bytes": flash["code"] + flash["constants"] + sum(flash["weights"].values()),
        "macs": sum(s.macs for s in artifact.plan.variants[0].steps),
        "instructions": profile_mcu(artifact.path, runs=2).instructions,
        "error": float(np.mean((logits - floats) ** 2) / np.mean(floats**2)),
        "accuracy": float((logits.argmax(1) == test[1]).mean()),
    }  # fmt: skip


def rows_of(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table's rows."""
    return [
        ("none" if r["max_ram"] is None else f"{r['max_ram']:,}", r["scales"],
         f"{r['arena_bytes']:,}", f"{r['flash_bytes']:,}", f"{r['macs']:,}",
         f"{r['instructions']:,.0f}", f"{r['error'] ** 0.5:.2%}", f"{r['accuracy']:.4f}")
        for r in found["results"]
    ]  # fmt: skip


def control_rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What was tried under every limit, on the samples that decide."""
    return [
        (f"{r['max_ram']:,}", name, f"{row['error']:.2e}", f"{row['constant_bytes']:,}",
         "too large" if row["arena_bytes"] is None else f"{row['arena_bytes']:,}")
        for r in found["results"] if "strips" in r
        for name, row in r["strips"].get("controls", {}).items()
    ]  # fmt: skip


def text_of(found: Mapping[str, Any]) -> str:
    """Both tables."""
    right = f"float32 tells {found['float32']:.4f} of {TESTED} spectra."
    parts = [table(HEADS, rows_of(found)), right, table(CONTROL_HEADS, control_rows(found))]
    return "\n\n".join(part.strip() for part in parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontroller_outliers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--etth1", type=Path, help="ETTh1.csv")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args(arguments)
    if given.table:
        print(text_of(json.loads(given.table.read_text("utf-8"))))
        return
    if given.etth1 is None:
        parser.error("--etth1 ETTh1.csv is missing: the series that the spectra are made of")
    with tempfile.TemporaryDirectory() as room:
        found = measured(spectra(given.etth1), Path(room))
    print(text_of(found))
    if given.json:
        told = [Path(a).name if Path(a).is_file() else a for a in sys.argv[1:]]
        command = shlex.join(["python", "-m", "benchmarks.microcontroller_outliers", *told])
        given.json.write_text(
            json.dumps({"command": command, "facts": facts(), **found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
