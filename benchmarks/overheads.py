"""What is not kernels: dispatch from Python, compile time and memory, arenas, the bandwidth bound.

python -m benchmarks.overheads [--json F]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import edgemoe
from benchmarks.machine import cpu_name
from edgemoe.runtime.profile import default_inputs

MODELS = ("moe_lm:char_moe", "blockffn_lm:char_blockffn", "forecaster:etth1", "forecaster:co2",
          "digits_mixer:digits")  # fmt: skip

TURNS = 2000
"""Pairs of calls, one from Python and one of the C function inside it."""


def compile_in_process(factory: str, out: Path) -> dict[str, float]:
    """Seconds and peak memory of one compilation, in a process of its own."""
    script = (
        "import sys, time, json, resource, warnings; warnings.simplefilter('ignore');"
        "import edgemoe; start = time.perf_counter();"
        f"edgemoe.compile('edgemoe.models.{factory}', out={str(out)!r});"
        "print(json.dumps([time.perf_counter() - start,"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    seconds, megabytes = json.loads(done.stdout.strip().splitlines()[-1])
    return {"compile_seconds": seconds, "peak_rss_mb": megabytes}


def dispatch_microseconds(session: edgemoe.Session, feed: dict[str, np.ndarray]) -> float:
    """Time of `session.run` beyond that of the C call inside it, the median of many rounds."""
    frame, arrays, _ = session._prepare(feed)
    results = frame.outputs(None)
    library, handle = session._library, session._handle

    def call() -> None:
        library.em_run(handle, frame.c_inputs, frame.input_count, frame.c_outputs,
                       frame.output_count)  # fmt: skip

    beyond = []
    for _ in range(TURNS):
        start = time.perf_counter()
        session.run(feed)
        middle = time.perf_counter()
        call()
        beyond.append(middle - start - (time.perf_counter() - middle))
    del arrays, results  # the frame points into them
    return statistics.median(beyond) * 1e6


def main() -> None:
    """Run the benchmark."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for factory in MODELS:
            name = factory.split(":")[1]
            out = Path(folder) / name
            facts = compile_in_process(factory, out)
            artifact = edgemoe.Artifact.open(out)
            variants = artifact.plan.variants
            facts["arena_over_lower_bound"] = max(
                v.arena_bytes / max(1, v.lower_bound_bytes) for v in variants
            )
            with artifact.load() as session:
                facts["dispatch_us"] = dispatch_microseconds(session, default_inputs(session))
            rows[name] = facts
            print(f"{name:16}", {key: round(value, 3) for key, value in facts.items()}, flush=True)
    print("repeat: python -m benchmarks.overheads", *sys.argv[1:])
    if given.json is not None:
        given.json.write_text(json.dumps({"cpu": cpu_name(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
