r"""Measure what a search is worth: promises, controls, equal bytes, quantisers of equal bits.

    python -m benchmarks.compression --etth1 ETTh1.csv --text tinyshakespeare.txt \
        --domains FOLDER --json F
    python -m benchmarks.compression --install torchao
    python -m benchmarks.compression --table F
    python -m benchmarks.compression --summary F

A run of some models, or of some parts, keeps what F has of others.

Calibration is the validation split of each model that ships; every loss stands beside that on the
test split, which no search sees. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compression.budgets import promised
from benchmarks.compression.dense import equally_small
from benchmarks.compression.equal_bits import PEERS, compare
from benchmarks.compression.equal_bytes import FORMATS, against_uniform
from benchmarks.compression.pruned import against_chance
from benchmarks.compression.shipped import FACTORIES, files_of, shipped
from benchmarks.compression.summary import comparisons, pruned, summary
from benchmarks.compression.tables import document_text
from benchmarks.compression.whole_file import quantised_files
from benchmarks.environments import install, python_of, versions_of
from benchmarks.machine import facts
from edgemoe.compression.settings import Settings

PARTS = ("promised", "dense", "pruned", "bytes", "bits")


def words(text: str) -> list[str]:
    return text.split(",")


def percent(text: str) -> float:
    return float(text.removesuffix("%")) / 100


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compression", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--models", type=words, default=list(FACTORIES), help=", ".join(FACTORIES))
    parser.add_argument("--parts", type=words, default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--etth1", type=Path, metavar="CSV", help="data of etth1")
    parser.add_argument("--text", type=Path, metavar="TXT", help="data of the language models")
    parser.add_argument("--domains", type=Path, metavar="FOLDER", help="both files, of domain_moe")
    parser.add_argument("--max-loss", type=percent, default=0.005, metavar="P%")
    parser.add_argument("--seconds", type=float, default=240, help="of every search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=256, help="of the validation split")
    parser.add_argument("--test-samples", type=int, default=512)
    parser.add_argument("--peers", type=words, default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    parser.add_argument("--summary", type=Path, metavar="JSON", help="print the guides' tables")
    parser.add_argument("--install", type=words, default=[], metavar="QUANTISERS")
    return parser.parse_args()


def measure(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """All parts of one model."""
    files = files_of(given.etth1, given.text, given.domains)
    model = shipped(name, files, samples=given.samples, test_samples=given.test_samples)
    settings = Settings(seconds=given.seconds, seed=given.seed)
    dense = equally_small(name, files.get(name), model.task) if "dense" in given.parts else []
    budget, found = promised(model, given.max_loss, settings, "none", dense)
    record: dict[str, Any] = {
        "model": name,
        "command": shlex.join(["python", "-m", "benchmarks.compression", *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "samples": len(model.task.samples), "test_samples": len(model.test),
        "metric": next(iter(model.task.metrics.values())).name,
        "promised": [budget], "pruned": [], "equal_bytes": [], "equal_bits": {}, "files": [],
    }  # fmt: skip
    if found is None:
        return record
    if found.calibration.regions and "promised" in given.parts:
        record["promised"].append(promised(model, given.max_loss, settings, "auto", dense)[0])
    if found.calibration.regions and "pruned" in given.parts:
        record["pruned"] = against_chance(model, found)
    if "bytes" in given.parts:
        record["equal_bytes"] = against_uniform(model, found, given.seconds / 4)
    if "bits" in given.parts:
        record["equal_bits"] = compare(model, found, given.peers)
        record["files"] = quantised_files(model)
    return record


KEYS = {"promised": ("promised",), "pruned": ("pruned",), "bytes": ("equal_bytes",),
        "bits": ("equal_bits", "files")}  # fmt: skip
"""What a part writes; `dense` adds rows to what `promised` writes."""


def with_earlier(
    record: dict[str, Any], earlier: dict[str, Any] | None, parts: Sequence[str]
) -> dict[str, Any]:
    """The record with what an earlier run has of parts that were not measured now."""
    if earlier is None:
        return record
    kept = {key: earlier[key] for part, keys in KEYS.items() if part not in parts for key in keys}
    if not kept:
        return record
    return {**record, **kept, "command": f"{earlier['command']}; {record['command']}"}


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Measure every model; prints each as it is done, and keeps what the file has of others."""
    pythons = {name: python_of(name) for name in ("ours", *given.peers)}
    document: dict[str, Any] = {
        "machine": facts(),
        "versions": {name: versions_of(name, p) for name, p in pythons.items() if p is not None},
        "formats": list(FORMATS),
        "models": [],
    }
    earlier = {}
    if given.json is not None and given.json.is_file():
        known = json.loads(given.json.read_text("utf-8"))["models"]
        earlier = {r["model"]: r for r in known}
        document["models"] = [r for r in known if r["model"] not in given.models]
    for name in given.models:
        record = with_earlier(measure(name, given), earlier.get(name), given.parts)
        document["models"] = sorted(
            [*document["models"], record], key=lambda r: list(FACTORIES).index(r["model"])
        )
        print(document_text({**document, "models": [record]}), flush=True)
        if given.json is not None:  # after every model: a long run may be cut short
            given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return document


def main() -> None:
    given = parse()
    for name in given.install:
        install(name)
    if given.table is not None:
        print(document_text(json.loads(given.table.read_text("utf-8"))))
    elif given.summary is not None:
        found = json.loads(given.summary.read_text("utf-8"))
        print(f"{summary(found)}\n\n{comparisons(found)}\n\n{pruned(found)}")
    elif not given.install:
        run(given)


if __name__ == "__main__":
    main()
