"""Several judged outputs: one limit on the errors of all of them, against a limit for each.

    python -m benchmarks.compression_outputs --json F
    python -m benchmarks.compression_outputs --table F

Each model has a trunk, and a branch of its own for every output, with random weights. The targets
of an output are what float32 gives with noise between a thirtieth and five times as large as the
output, so that the same error costs outputs differently much; or there are none, and the distance
to float32 is judged. Both ways have the same time, the same sensitivities and the same swaps; all
searches end before their time does. Bytes are those of the integer programs alone, judged on the
search part, and of what comes out after swaps and the proof.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.compression.tables import table
from benchmarks.environments import versions_of
from benchmarks.machine import facts

FORMATS = ("f16", "i8.a32", "i4.a32", "i3", "i2")
SAMPLES, TOKENS, INPUTS, WIDTH, OUTPUTS = 64, 3, 24, 64, 8


@dataclass(frozen=True)
class Case:
    """A model with so many outputs, and so many products on the way to each."""

    outputs: int
    depth: int
    metric: str
    max_loss: float


CASES = (
    Case(2, 3, "mse", 0.02), Case(3, 3, "mse", 0.005), Case(5, 3, "mse", 0.05),
    Case(2, 8, "mse", 0.02), Case(4, 6, "mse", 0.02),
    Case(2, 3, "rms", 0.05), Case(4, 3, "rms", 0.1), Case(4, 6, "rms", 0.1),
)  # fmt: skip

HEAD = (
    "outputs", "products", "metric", "promise", "programs: one limit", "a limit each",
    "proved: one limit", "a limit each",
)  # fmt: skip


def task_of_case(case: Case, seed: int) -> Any:
    """The model and its samples."""
    import torch
    from torch import Tensor, nn

    from edgemoe.buckets import plan_buckets
    from edgemoe.compression.task import task_of
    from edgemoe.frontend import load_model

    names = [f"y{number}" for number in range(case.outputs)]

    class Branches(nn.Module):
        """x [T, 24] -> y0, y1, ... [T, 8]."""

        def __init__(self) -> None:
            super().__init__()
            self.export_options = {"input_names": ["x"], "output_names": names}
            self.trunk = nn.Linear(INPUTS, WIDTH)
            sizes = [WIDTH] * case.depth + [OUTPUTS]
            self.branches = nn.ModuleList(
                nn.Sequential(*(
                    layer for a, b in itertools.pairwise(sizes)
                    for layer in (nn.ReLU(), nn.Linear(a, b))
                )) for _ in names
            )  # fmt: skip
            for layer in self.modules():
                if isinstance(layer, nn.Linear):  # He et al., 2015: signals stay as large
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    nn.init.zeros_(layer.bias)

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            h = self.trunk(x)
            return tuple(branch(h) for branch in self.branches)

    torch.manual_seed(seed)
    chance, module = np.random.default_rng(seed), Branches().eval()
    x = chance.normal(size=(SAMPLES, TOKENS, INPUTS)).astype(np.float32)
    data = {"x": x}
    if case.metric == "mse":
        with torch.no_grad():
            outputs = [y.numpy() for y in module(torch.from_numpy(x))]
        for name, y in zip(names, outputs, strict=True):
            scale = 10.0 ** chance.uniform(-1.5, 0.7) * y.std()
            data[f"target:{name}"] = (y + scale * chance.normal(size=y.shape)).astype(np.float32)
    source = load_model((module, (torch.from_numpy(x[0]),)))
    return task_of(source, plan_buckets(source.model, None, {}), data, case.metric)


def searched(task: Any, case: Case, seconds: float, *, each: bool) -> dict[str, Any]:
    """One search; without `each` with one limit on the errors of all outputs."""
    from edgemoe.compression import option
    from edgemoe.compression.compress import compress
    from edgemoe.compression.moving_limit import largest_error
    from edgemoe.compression.settings import Settings

    programs = option.largest_errors if each else largest_error
    tried: list[dict[str, Any]] = []  # of every decision about massive features

    def noted(search: Any, goal: Any, deadline: float) -> Any:
        started, runs = time.monotonic(), search.trial.runs
        found = programs(search, goal, deadline)
        tried.append({"bytes": found.nbytes, "seconds": time.monotonic() - started,
                      "runs": search.trial.runs - runs})  # fmt: skip
        return found

    settings = Settings(seconds=seconds, formats=FORMATS, threads=1)
    with patch.object(option, "largest_errors", noted):
        found = compress(task, settings.goal(case.max_loss, None), settings=settings)
    losses = {name: own.counted for name, own in found.verdict.losses.items()}
    best = min(tried, key=lambda entry: entry["bytes"])
    return {"programs": best, "bytes": found.chosen.nbytes, "seconds": found.seconds,
            "counted": losses}  # fmt: skip


def record(case: Case, seed: int, seconds: float) -> dict[str, Any]:
    """Both searches of one case."""
    task = task_of_case(case, seed)
    one, each = (searched(task, case, seconds, each=own) for own in (False, True))
    products = 1 + case.outputs * case.depth
    print(f"{case}: {one['bytes']:,} B, {each['bytes']:,} B", file=sys.stderr, flush=True)
    return {"outputs": case.outputs, "products": products, "metric": case.metric,
            "max_loss": case.max_loss, "seed": seed, "one": one, "each": each}  # fmt: skip


def rows(document: dict[str, Any]) -> list[list[str]]:
    """The table, a row per model."""
    return [
        [str(r["outputs"]), str(r["products"]), r["metric"], f"{100 * r['max_loss']:g} %",
         *(f"{r[way]['programs']['bytes']:,}" for way in ("one", "each")),
         *(f"{r[way]['bytes']:,}" for way in ("one", "each"))]
        for r in document["records"]
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compression_outputs", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=120, help="given to each search")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table is not None:
        print(table(HEAD, rows(json.loads(given.table.read_text("utf-8")))))
        return
    document = {
        "command": shlex.join(["python", "-m", "benchmarks.compression_outputs", *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "machine": facts(), "versions": {"ours": versions_of("ours", Path(sys.executable))},
        "records": [record(case, seed, given.seconds) for seed, case in enumerate(CASES)],
    }  # fmt: skip
    print(table(HEAD, rows(document)))
    if given.json is not None:
        given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
