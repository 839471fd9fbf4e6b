"""`edgemoe compare`: two models on the same inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgemoe.cli.console import Console, decibels, duration
from edgemoe.cli.options import Device, Inputs, Json, Quiet, Threads, Verbose


def command(
    a: Annotated[Path, typer.Argument(metavar="A", help="The reference: artifact or .onnx.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="What is compared: artifact or .onnx.")],
    inputs: Inputs = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Medians are over this many.")] = 10,
    threads: Threads = 1,
    device: Device = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Run two artifacts or .onnx files on the same inputs: differences of outputs and of time."""
    from edgemoe.compare import compare_models
    from edgemoe.runtime.array_files import read_arrays

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    arrays = None if inputs is None else read_arrays(inputs)
    result = compare_models(a, b, arrays, runs=runs, threads=threads, device=device)
    rows = [
        (c.output, f"{c.max_error:.3g}", f"{c.rms_error:.3g}", f"{c.rms:.3g}", decibels(c.sqnr_db))
        for c in result.comparisons
    ]
    console.table(("output", "max error", "RMS error", "RMS", "SQNR"), rows)
    for side, names in ((result.a, result.only_a), (result.b, result.only_b)):
        if names:
            console.print(f"only in {side.path}: {', '.join(names)}")
    console.print(
        f"\nA {duration(result.a.nanoseconds)} ({result.a.engine}), "
        f"B {duration(result.b.nanoseconds)} ({result.b.engine}): "
        f"B takes {result.time_ratio:.2f} of the time of A (median of {runs})"
    )
    console.result(
        {
            "outputs": result.comparisons,
            "only_a": result.only_a,
            "only_b": result.only_b,
            "a": {"path": result.a.path, "engine": result.a.engine,
                  "nanoseconds": result.a.nanoseconds},
            "b": {"path": result.b.path, "engine": result.b.engine,
                  "nanoseconds": result.b.nanoseconds},
            "time_ratio": result.time_ratio,
        }
    )  # fmt: skip
