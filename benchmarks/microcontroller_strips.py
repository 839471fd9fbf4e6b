"""What `--max-ram` costs for a network of an image: MACs that are computed twice, instructions.

    python -m benchmarks.microcontroller_strips --json F
    python -m benchmarks.microcontroller_strips --table F

A network of 48 x 48 grey pixels with random weights: convolutions with a step of two, and after
each a block of ConvMixer's form (Trockman and Kolter 2022, arXiv 2201.09792): depthwise with a
residual, then pointwise. Its arena is asked to be smaller and smaller; outputs are compared bit by
bit with those of the program that is not cut. Instructions are QEMU's, not cycles.
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

import numpy as np

import edgemoe
from benchmarks.compression.tables import percent, table
from benchmarks.machine import facts
from edgemoe.errors import BudgetError
from edgemoe.runtime.mcu_profile import profile_mcu

TARGET, SIZE = "cortex-m4", 48
SHARES = (1.0, 0.75, 0.6, 0.45, 0.35)
"""Limits, as shares of the arena without one."""
HEADS = (
    "precision", "--max-ram", "arena", "MACs", "more", "instructions", "more", "same bits", "how",
)  # fmt: skip


def network() -> tuple[Any, tuple[Any, ...]]:
    """The module and an example of its input, float32 [1, 1, 48, 48]."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.deep = nn.Conv2d(channels, channels, 3, groups=channels, padding=1)
            self.point = nn.Conv2d(channels, channels, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            gelu = nn.functional.gelu
            return gelu(self.point(x + gelu(self.deep(x))))

    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), Block(8),
        nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(), Block(16),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    ]  # fmt: skip
    return nn.Sequential(*layers).eval(), (torch.zeros(1, 1, SIZE, SIZE),)


def measured(precision: str, folder: Path) -> list[dict[str, Any]]:
    """The network under every limit; `refused` says why one cannot be kept."""
    chance = np.random.default_rng(0)
    samples = chance.standard_normal((17, 1, 1, SIZE, SIZE)).astype(np.float32)
    given = None if precision == "f32" else {"input": samples[1:]}
    found: list[dict[str, Any]] = []
    answers = []
    for share in SHARES:
        limit = None if share == 1 else int(found[0]["arena_bytes"] * share)
        out = folder / f"{precision}-{share}"
        try:
            artifact = edgemoe.compile(
                network(), target=TARGET, out=out, precision=precision, calibration=given,
                max_ram=limit, name="image",
            )  # fmt: skip
        except BudgetError as error:
            print(f"{precision}, {limit} B: {error}", file=sys.stderr)
            found.append({"precision": precision, "max_ram": limit, "refused": str(error)})
            continue
        with edgemoe.load(out, device="qemu") as session:
            answers.append(session.run({"input": samples[0]}).popitem()[1])
        said = [d.choice for d in artifact.plan.decisions if d.subject == "max-ram"]
        found.append({
            "precision": precision, "max_ram": limit, "choice": said,
            "arena_bytes": artifact.plan.variants[0].arena_bytes,
            "macs": sum(s.macs for s in artifact.plan.variants[0].steps),
            "instructions": profile_mcu(out, runs=2).instructions,
            "same": bool(np.array_equal(answers[0], answers[-1])),
        })  # fmt: skip
        print(table(HEADS, rows_of([found[0], found[-1]])[-1:]), file=sys.stderr)
    return found


def rows_of(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The table's rows; `more` is against the program that is not cut."""
    whole = {r["precision"]: r for r in results if r["max_ram"] is None}
    rows = []
    for r in results:
        limit = "none" if r["max_ram"] is None else f"{r['max_ram']:,}"
        if "refused" in r:
            rows.append((r["precision"], limit, *["-"] * 6, "refused"))
            continue
        own = whole[r["precision"]]
        counts = (
            text for name in ("macs", "instructions")
            for text in (f"{r[name]:,.0f}", percent(r[name] / own[name] - 1))
        )  # fmt: skip
        same = "yes" if r["same"] else "NO"
        how = ", ".join(r["choice"]) or "whole"
        rows.append((r["precision"], limit, f"{r['arena_bytes']:,}", *counts, same, how))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontroller_strips", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table:
        print(table(HEADS, rows_of(json.loads(given.table.read_text("utf-8"))["results"])))
        return
    with tempfile.TemporaryDirectory() as room:
        results = [r for kind in ("i8", "f32") for r in measured(kind, Path(room))]
    print(table(HEADS, rows_of(results)))
    if given.json:
        command = shlex.join(["python", "-m", "benchmarks.microcontroller_strips", *sys.argv[1:]])
        document = {"command": command, "facts": facts(), "results": results}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
