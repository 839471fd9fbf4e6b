"""Static against dynamic scales of activations: what they cost on test data, and what they save.

    python -m benchmarks.static_activations --etth1 ETTh1.csv [--rounds 15] [--json F]

Accuracy: models that ship, calibrated on samples of the validation split, judged on the whole test
split. Speed: W4 and W5 of `python -m benchmarks`, calibrated on random inputs like those that they
run on; one thread, the two artifacts in turns, the median over the rounds of the ratios inside a
round. `i8` rounds every row with the scale of its largest element, `i8.static` all rows of a tensor
with one scale that calibration found.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import edgemoe
from benchmarks.cases import SHIPPED, Case, cases_of
from benchmarks.contestant import Array, Kit, relative_error
from benchmarks.record import kit_of
from benchmarks.worker import take_turn
from edgemoe.compression.settings import Settings
from edgemoe.models.calibration import arrays
from edgemoe.runtime import load

PRECISIONS = ("i8", "i8.static")
WORKLOADS = ("W4", "W5")
SAMPLES = 16
"""Random samples that W4 and W5 are calibrated on."""


def metric(name: str, results: list[Array], wanted: Array) -> float:
    """Accuracy of the digits, mean squared error of the forecasts."""
    given = np.concatenate(results).astype(np.float64)
    if name == "digits":
        return float(np.mean(given.argmax(-1) == wanted.reshape(-1)))
    return float(np.mean((given - wanted.reshape(given.shape)) ** 2))


def accuracy_of(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """The metric on the test split in float32 and in both kinds of int8."""
    model = f"{SHIPPED[name]}:{name}"
    calibration, test = (
        arrays(name, data, split=split, samples=samples)
        for split, samples in (("validate", 256), ("test", 1 << 30))
    )
    feeds = {key: array for key, array in test.items() if not key.startswith("target:")}
    (wanted,) = (array for key, array in test.items() if key.startswith("target:"))
    found: dict[str, Any] = {"model": name, "samples": len(wanted)}
    outputs: dict[str, list[Array]] = {}
    for precision in ("f32", *PRECISIONS):
        out = folder / f"{name}.{precision}.em"
        artifact = edgemoe.compile(
            model, precision=precision, cpu="native", out=out,
            calibration=None if precision == "f32" else calibration,
        )  # fmt: skip
        with load(out, threads=1) as session:
            outputs[precision] = [
                next(iter(session.run({k: a[n] for k, a in feeds.items()}).values())).copy()
                for n in range(len(wanted))
            ]
        found[precision] = metric(name, outputs[precision], wanted)
        if precision != "f32":
            error = relative_error(
                np.concatenate(outputs[precision]), np.concatenate(outputs["f32"])
            )
            found[f"{precision} error"] = error
        if precision == "i8.static":
            report = artifact.report()["static_activations"]
            found["products"] = len(report["static"])
    return found


def calls_of(kit: Kit, folder: Path) -> dict[str, Callable[[], Array]]:
    """Both artifacts of a case, ready to be called."""
    inputs, chance = kit.inputs(), np.random.default_rng(0)
    calibration = {
        name: chance.standard_normal((SAMPLES, *array.shape)).astype(np.float32)
        for name, array in inputs.items()
    }
    calls: dict[str, Callable[[], Array]] = {}
    for precision in PRECISIONS:
        out = folder / f"{kit.case.name}.{precision}.em"
        edgemoe.compile(
            kit.onnx("model"), precision=precision, cpu="native", out=out,
            calibration=calibration if precision == "i8.static" else None,
            compression=Settings(rounding="nearest"),
        )  # fmt: skip
        session = load(out, threads=1)
        calls[precision] = lambda session=session: session.run(inputs)["y"]  # type: ignore[misc]
    return calls


def speed_of(case: Case, rounds: int, milliseconds: float, folder: Path) -> dict[str, Any]:
    """The ratio of times, and the error of either to torch in float32."""
    kit = kit_of(case)
    calls = calls_of(kit, folder)
    turns: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for number in range(rounds):
        order = PRECISIONS if number % 2 else PRECISIONS[::-1]
        for precision in order:
            turns[precision].append(take_turn(calls[precision], milliseconds) / 1e3)
    ratios = [s / d for s, d in zip(turns["i8.static"], turns["i8"], strict=True)]
    return {
        "case": case.name, "ratio": statistics.median(ratios),
        **{p: statistics.median(turns[p]) for p in PRECISIONS},
        **{f"{p} error": relative_error(calls[p](), kit.wanted()) for p in PRECISIONS},
    }  # fmt: skip


def text_of(accuracy: list[dict[str, Any]], speed: list[dict[str, Any]]) -> str:
    """Both tables."""
    lines = ["| model | metric | samples | f32 | i8 | i8.static | error i8 | error i8.static |",
             "|---|---|--:|--:|--:|--:|--:|--:|"]  # fmt: skip
    for row in accuracy:
        title = "accuracy" if row["model"] == "digits" else "MSE"
        values = " | ".join(f"{row[p]:.4g}" for p in ("f32", *PRECISIONS))
        errors = " | ".join(f"{row[f'{p} error']:.2e}" for p in PRECISIONS)
        lines.append(f"| `{row['model']}` | {title} | {row['samples']:,} | {values} | {errors} |")
    lines += [
        "",
        "| case | time static / dynamic | error i8 | error i8.static |",
        "|---|--:|--:|--:|",
    ]
    for row in speed:
        errors = " | ".join(f"{row[f'{p} error']:.2e}" for p in PRECISIONS)
        lines.append(f"| {row['case']} | {row['ratio']:.2f} | {errors} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--etth1", type=Path, help="ETTh1.csv; without it etth1 is left out")
    parser.add_argument("--rounds", type=int, default=15, help="0: accuracy alone")
    parser.add_argument("--milliseconds", type=float, default=20, help="length of a turn")
    parser.add_argument("--batches", default="1,32")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    batches = [int(word) for word in given.batches.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        accuracy = [
            accuracy_of(model, given.etth1, folder)
            for model in ("etth1", "co2", "digits")
            if model != "etth1" or given.etth1 is not None
        ]
        speed = [
            speed_of(case, given.rounds, given.milliseconds, folder)
            for workload in WORKLOADS
            for case in cases_of(workload, [], batches)
            if given.rounds
        ]
    print(text_of(accuracy, speed))
    if given.json is not None:
        document = {"accuracy": accuracy, "speed": speed}
        given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
