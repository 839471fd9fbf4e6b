"""How often a promised loss holds: one search per seed, on the proof part and on the test split.

    python -m benchmarks.compression_promise --models co2,digits --etth1 F --text F --json F
    python -m benchmarks.compression_promise --table F

A seed splits the calibration samples and drives the search. What holds on the proof part is what
was promised; the test split comes from later data, for which nobody can promise anything.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.compression.progress import say
from benchmarks.compression.shipped import FACTORIES, Shipped, files_of, shipped
from benchmarks.compression.tables import percent, table
from benchmarks.environments import versions_of
from benchmarks.machine import facts
from edgemoe.compression.compress import compress
from edgemoe.compression.report import verdict_of
from edgemoe.compression.settings import Settings
from edgemoe.errors import BudgetError

MODELS = ("etth1", "co2", "digits", "char_moe")

MODES = {"default": False, "confident": True}
"""Kinds of promises: kept by the loss, or by the upper end of its interval."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compression_promise", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip

    def words(text: str) -> list[str]:
        return text.split(",")

    parser.add_argument("--models", type=words, default=list(MODELS), help=", ".join(FACTORIES))
    parser.add_argument("--etth1", type=Path, metavar="CSV")
    parser.add_argument("--text", type=Path, metavar="TXT")
    parser.add_argument("--domains", type=Path, metavar="FOLDER", help="both files, of domain_moe")
    parser.add_argument("--max-loss", type=float, default=0.005)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--modes", type=words, default=list(MODES), help=", ".join(MODES))
    parser.add_argument("--seconds", type=float, default=20, help="of every search")
    parser.add_argument("--samples", type=int, default=256, help="of the validation split")
    parser.add_argument("--test-samples", type=int, default=512)
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    return parser.parse_args()


def one_seed(model: Shipped, max_loss: float, settings: Settings) -> dict[str, Any]:
    """What one search promised, and what came of it."""
    facts_of = {"model": model.name, "seed": settings.seed, "confident": settings.confident}
    goal = settings.goal(max_loss, None)
    try:
        found = compress(model.task, goal, settings=settings)
    except BudgetError as error:
        return {**facts_of, "failed": str(error).splitlines()[0]}
    search = found.search
    test = search.judge_on(model.test, found.chosen.candidate)
    return {
        **facts_of, "failed": None, "bytes": found.chosen.nbytes,
        "ratio": search.bytes_of(search.best) / found.chosen.nbytes,
        "search": verdict_of(found.chosen.verdict), "proof": verdict_of(found.verdict),
        "test": verdict_of(test), "holds_on_proof": goal.holds(found.verdict),
        "holds_on_test": test.loss <= max_loss, "seconds": found.seconds,
    }  # fmt: skip


def summary(records: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A row per model and kind of promise."""
    rows = []
    for key in dict.fromkeys((r["model"], r["confident"]) for r in records):
        own = [r for r in records if (r["model"], r["confident"]) == key]
        done = [r for r in own if r["failed"] is None]
        if not done:
            rows.append([key[0], "yes" if key[1] else "no", f"none of {len(own)}", *[""] * 5])
            continue
        losses = [r["test"]["loss"] for r in done]
        rows.append(
            [
                key[0], "yes" if key[1] else "no", f"{len(done)} of {len(own)}",
                f"{sum(r['holds_on_proof'] for r in done)} of {len(done)}",
                f"{sum(r['holds_on_test'] for r in done)} of {len(done)}",
                f"{min(r['ratio'] for r in done):.2f}, {median(r['ratio'] for r in done):.2f}",
                percent(median(losses)), percent(max(losses)),
            ]
        )  # fmt: skip
    return rows


HEAD = ("model", "confident", "searches with a result", "holds on proof", "holds on test",
        "smaller: least, median", "loss on test, median", "largest")  # fmt: skip


def document_text(document: dict[str, Any]) -> str:
    """The table of a run, with the command that made it."""
    head = f"`{document['command']}` on {document['machine']['cpu']}, {document['started']}"
    return f"{head}\n\n{table(HEAD, summary(document['records']))}"


def main() -> None:
    given = parse()
    if given.table is not None:
        print(document_text(json.loads(given.table.read_text("utf-8"))))
        return
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.compression_promise", *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "machine": facts(), "versions": {"ours": versions_of("ours", Path(sys.executable))},
        "max_loss": given.max_loss, "records": [],
    }  # fmt: skip
    files = files_of(given.etth1, given.text, given.domains)
    for name in given.models:
        model = shipped(name, files, samples=given.samples, test_samples=given.test_samples)
        for confident in (MODES[mode] for mode in given.modes):
            for seed in range(given.seeds):
                say(name)(f"seed {seed}{', confident' if confident else ''}", seed, given.seeds)
                settings = Settings(seed=seed, seconds=given.seconds, confident=confident)
                document["records"].append(one_seed(model, given.max_loss, settings))
                if given.json is not None:  # after every search: a long run may be cut short
                    given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(document_text(document))


if __name__ == "__main__":
    main()
