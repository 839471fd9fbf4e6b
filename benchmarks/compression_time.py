"""How long a search takes for an MoE decoder of some 10 M parameters, and what a kill costs.

    python -m benchmarks.compression_time --threads 2 --json F
    python -m benchmarks.compression_time --table F

The weights and the calibration tokens are random, the metric is the KL divergence from float32. A
search runs to its end in a process of its own; another is killed half way (signal 9), and a third
goes on from the journal of the second.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import DECODER, VOCABULARY
from benchmarks.environments import environment, versions_of
from benchmarks.machine import facts

SHAPE = replace(DECODER, inner=384)
"""With 4 layers and a vocabulary of 256: 10.6 M parameters, of which 9.4 M in experts."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compression_time", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=128, help="of a sample")
    parser.add_argument("--max-loss", type=float, default=0.02, help="nats from fp32")
    parser.add_argument("--seconds", type=float, default=240, help="given to the search")
    parser.add_argument("--no-kill", action="store_true", help="only the search that ends")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    parser.add_argument("--search", type=Path, metavar="JOURNAL", help=argparse.SUPPRESS)
    return parser.parse_args()


def search(given: argparse.Namespace) -> dict[str, Any]:
    """One search, in this process."""
    import torch

    from benchmarks.layers import Prefill
    from edgemoe.buckets import plan_buckets
    from edgemoe.compression.compress import compress
    from edgemoe.compression.settings import Settings
    from edgemoe.compression.task import task_of
    from edgemoe.frontend import load_model

    torch.manual_seed(0)
    module = Prefill(SHAPE, "loop").eval()
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (given.samples, given.tokens))
    source = load_model((module, (torch.from_numpy(tokens[0]),)))
    buckets = plan_buckets(source.model, None, {})
    name = str(source.model.graph.inputs[0].name)
    task = task_of(source, buckets, {name: tokens}, "kl")
    settings = Settings(seconds=given.seconds, threads=given.threads)
    steps: list[tuple[float, str]] = []
    started, spent = time.monotonic(), time.process_time()

    def show(what: str, done: int, total: int) -> None:
        if not steps or steps[-1][1] != what:
            steps.append((time.monotonic() - started, what))
            print(f"{steps[-1][0]:6.1f} s  {what}", file=sys.stderr, flush=True)

    goal = settings.goal(given.max_loss, None)
    found = compress(task, goal, settings=settings, journal=given.search, show=show)
    own = found.search
    return {
        "parameters": sum(p.numel() for p in module.parameters()), "seconds": found.seconds,
        "cpu_seconds": time.process_time() - spent,
        "threads": given.threads, "runs": own.trial.runs, "candidates": len(own.archive),
        "sections": len(own.trial.sections), "sections_run": own.trial.sections_run,
        "reused": own.journal.reused,
        "bytes": found.chosen.nbytes, "ratio": own.bytes_of(own.best) / found.chosen.nbytes,
        "proof_loss": found.verdict.loss, "steps": steps,
    }  # fmt: skip


def begin(given: argparse.Namespace, journal: Path) -> subprocess.Popen[str]:
    """Start a search in a process of its own; its progress goes to our error stream."""
    options = ["threads", "samples", "tokens", "max_loss", "seconds"]
    words = [f"--{o.replace('_', '-')}={getattr(given, o)}" for o in options]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.compression_time", *words, f"--search={journal}"],
        env={**environment(given.threads), "OPENBLAS_NUM_THREADS": "1"},  # for small products
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a search says when it is done.

    Raises:
        RuntimeError: it failed.
    """
    text = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"the search ended with code {process.returncode}")
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return found


def killed(given: argparse.Namespace, journal: Path, after: float) -> int:
    """Kill a search so many seconds after its first verdict; returns the verdicts that it kept."""
    process = begin(given, journal)
    while process.poll() is None and not journal.is_file():
        time.sleep(0.2)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return len(journal.read_text("utf-8").splitlines()) - 1


def run(given: argparse.Namespace) -> dict[str, Any]:
    """All three searches."""
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.compression_time", *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "machine": facts(), "versions": {"ours": versions_of("ours", Path(sys.executable))},
        "given_seconds": given.seconds,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        document["whole"] = ended(begin(given, Path(folder) / "whole.jsonl"))
        if not given.no_kill:
            journal = Path(folder) / "killed.jsonl"
            document["kept"] = killed(given, journal, document["whole"]["seconds"] / 2)
            document["resumed"] = ended(begin(given, journal))
    document["load_average_after"] = os.getloadavg()[0]
    return document


def text(document: dict[str, Any]) -> str:
    """What was measured, in sentences."""
    whole = document["whole"]
    known = 1 - whole["sections_run"] / (whole["runs"] * whole["sections"])
    loads = f"{document['machine']['load_average']:.1f} to {document['load_average_after']:.1f}"
    lines = [
        f"{whole['parameters']:,} parameters, {document['given_seconds']:.0f} s allowed: "
        f"{whole['seconds']:.0f} s, of which {whole['cpu_seconds']:.0f} s of CPU on "
        f"{whole['threads']} threads (load average {loads}).",
        f"{whole['candidates']} candidates were judged to the end, {whole['runs']:,} runs of a "
        f"sample were asked for; {known:.0%} of them was known from candidates with the same first "
        f"layers. {whole['bytes']:,} B, {whole['ratio']:.2f} times smaller, "
        f"{whole['proof_loss']:.4f} nats on the proof part.",
    ]
    if "resumed" in document:
        again = document["resumed"]
        lines.append(
            f"Killed half way with {document['kept']} verdicts: the next search used "
            f"{again['reused']} of them, took {again['seconds']:.0f} s and {again['runs']:,} runs, "
            f"and found {again['bytes']:,} B."
        )
    return "\n".join(lines)


def main() -> None:
    given = parse()
    if given.search is not None:
        print(json.dumps(search(given)))
        return
    if given.table is not None:
        print(text(json.loads(given.table.read_text("utf-8"))))
        return
    document = run(given)
    print(text(document))
    if given.json is not None:
        given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
