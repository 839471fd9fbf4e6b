"""`edgemoe run`: run an artifact once on arrays from a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgemoe.cli.console import Console, duration
from edgemoe.cli.options import ArtifactPath, Device, Isa, Json, Quiet, Threads, Verbose


def command(
    artifact: ArtifactPath,
    inputs: Annotated[Path, typer.Option("--inputs", help="An .npz with an array per input.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write the outputs (.npz).")
    ] = None,
    device: Device = None,
    threads: Threads = 1,
    isa: Isa = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse NaN and infinity.")] = False,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Run an artifact once on arrays from a file."""
    from edgemoe.cli.arrays import write_arrays
    from edgemoe.runtime.array_files import read_arrays
    from edgemoe.runtime.session import load

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    with load(artifact, threads=threads, isa=isa, strict=strict, device=device) as session:
        console.detail(f"{session!r} with {session.isa}, {session.threads} threads")
        arrays = read_arrays(inputs)
        start = time.perf_counter_ns()
        results = session.run(arrays)
        elapsed = time.perf_counter_ns() - start
    if output is not None:
        write_arrays(output, results)
    rows = [
        (name, array.dtype, list(array.shape), *_summary(array)) for name, array in results.items()
    ]
    console.table(("output", "dtype", "shape", "min", "mean", "max"), rows)
    console.detail(f"first run {duration(elapsed)}")
    console.result(
        {
            "outputs": {
                name: {"dtype": str(array.dtype), "shape": list(array.shape)}
                | dict(zip(("min", "mean", "max"), map(float, _summary(array)), strict=True))
                for name, array in results.items()
            },
            "nanoseconds": elapsed,
            "file": None if output is None else str(output),
        }
    )


def _summary(array: object) -> tuple[str, str, str]:
    import numpy as np

    values = np.asarray(array, dtype=np.float64)
    if values.size == 0:
        return "nan", "nan", "nan"
    return f"{values.min():.6g}", f"{values.mean():.6g}", f"{values.max():.6g}"
