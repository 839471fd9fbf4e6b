"""Measure edgemoe and every installed peer on the same layers and models, in turns.

    python -m benchmarks --cases W1,W2 --tokens 1,8 --formats f32,i8 --threads 1 --json F --plot F
    python -m benchmarks --install ggml,openvino      environments of peers, in benchmarks/.peers
    python -m benchmarks --table F                    the tables of an earlier run

See docs/benchmarks.md for what is measured, and how.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.cases import WORKLOADS, Case, cases_of
from benchmarks.conductor import log
from benchmarks.contestant import BITS, Contestant, peer_names, peer_of
from benchmarks.environments import install, python_of, versions_of
from benchmarks.machine import facts
from benchmarks.plot import plot
from benchmarks.record import kit_of, measure_case
from benchmarks.roofline import roofline
from benchmarks.table import case_table, document_text


def words(text: str) -> list[str]:
    return text.split(",")


def numbers(text: str) -> list[int]:
    return [int(word) for word in words(text)]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--cases", type=words, default=list(WORKLOADS), help=", ".join(WORKLOADS))
    parser.add_argument("--tokens", type=numbers, default=[1, 8, 64, 256], help="of W1, W2 and W6")
    parser.add_argument("--batches", type=numbers, default=[1, 32], help="of W4 and W5")
    parser.add_argument("--formats", type=words, default=list(BITS), help=", ".join(BITS))
    parser.add_argument("--threads", type=numbers, default=[1])
    parser.add_argument("--peers", type=words, default=peer_names(), help=", ".join(peer_names()))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--milliseconds", type=float, default=20, help="length of a turn")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--plot", type=Path, help="draw the times (.png, .svg, .pdf)")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    parser.add_argument("--install", type=words, default=[], metavar="PEERS")
    return parser.parse_args()


def contestants_of(case: Case, peers: list[str], formats: list[str]) -> list[Contestant]:
    """Those of a case that were asked for; ours always takes part."""
    return [
        contestant
        for peer in dict.fromkeys(["ours", *peers])
        for contestant in peer_of(peer).contestants(case)
        if contestant.family in formats
    ]


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Measure everything that was asked for; prints each case as it is done."""
    found = {peer: python_of(peer) for peer in dict.fromkeys(["ours", *given.peers])}
    for peer, python in found.items():
        if python is None:
            log(f"{peer} is not installed: python -m benchmarks --install {peer}")
    peers = {peer: python for peer, python in found.items() if python is not None}
    machine = roofline()
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "machine": facts() | {"int8": None if machine is None else machine.int8_instruction},
        "versions": {peer: versions_of(peer, python) for peer, python in peers.items()},
        "rounds": given.rounds,
        "milliseconds": given.milliseconds,
        "records": [],
    }
    cases = [case for name in given.cases for case in cases_of(name, given.tokens, given.batches)]
    for case in cases:
        log(f"{case.name}: exporting")
        kit = kit_of(case)
        for threads in given.threads:
            entered = contestants_of(case, list(peers), given.formats)
            log(f"{case.name}: {len(entered)} contestants, threads {threads}")
            record = measure_case(kit, entered, threads, given.rounds, given.milliseconds)
            document["records"].append(record)
            print(case_table(record), flush=True)
            if given.json is not None:  # after every case: a long run may be cut short
                given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return document


def main() -> None:
    # Workers are stopped between turns and would outlive a plain SIGTERM: leave through `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = parse()
    for peer in given.install:
        install(peer)
    if given.table is not None:
        document = json.loads(given.table.read_text("utf-8"))
        print(document_text(document))
    elif given.install:
        return
    else:
        document = run(given)
    if given.plot is not None:
        plot(document, given.plot)


if __name__ == "__main__":
    main()
