"""`edgemoe sweep`: the trade between bytes and accuracy, as a table and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgemoe.cli import values
from edgemoe.cli.console import Console
from edgemoe.cli.options import Json, Plugins, Quiet, Verbose


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A .onnx, a .pt2 or package.module:factory.")
    ],
    calibration: Annotated[
        Path, typer.Option("--calibration", help="An .npz; arrays have a sample axis first.")
    ],
    budgets: Annotated[
        str,
        typer.Option("--budgets", help="Losses and sizes: 0.1%,0.5%,1%,400K,200K."),
    ] = "0.1%,0.25%,0.5%,1%,2%",
    prune: Annotated[str, typer.Option("--prune", help="auto, none or a ratio such as 25%.")] = (
        "auto"
    ),
    metric: Annotated[
        str, typer.Option("--metric", help="auto, mse, accuracy, cross-entropy, kl or rms.")
    ] = "auto",
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="NAME=VALUE: samples whose array group:NAME has the value."),
    ] = None,
    precision: Annotated[
        str, typer.Option("--precision", help="auto with pins, such as auto,*.router=f32.")
    ] = "auto",
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", help="Bind a dimension (T=8) or an input (x=1x512x7)."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Processes; 0: one per core.")] = 0,
    dask: Annotated[
        str | None, typer.Option("--dask", help="Address of a Dask scheduler, tcp://HOST:8786.")
    ] = None,
    search_time: Annotated[
        float, typer.Option("--search-time", help="Seconds for each budget.")
    ] = 120.0,
    seed: Annotated[int, typer.Option("--seed", help="Splits the data, and drives swaps.")] = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the trade (.png, .svg or .pdf).")
    ] = None,
    plugin: Plugins = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Search under several budgets at once, and show what each byte buys."""
    from edgemoe.compression.parallel import usable_cpus
    from edgemoe.compression.settings import Settings
    from edgemoe.compression.sweep import Job, budget_of, pareto, sweep
    from edgemoe.compression.sweep_plot import draw
    from edgemoe.errors import OptionError

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    if not calibration.is_file():
        raise OptionError(f"--calibration {calibration} does not exist; give an .npz")
    parsed = [budget_of(text) for text in budgets.split(",")]
    processes = min(jobs or usable_cpus(), len(parsed))
    # Searches side by side share the processors; a worker of a cluster may be one of many.
    threads = 1 if dask is not None else max(1, usable_cpus() // processes)
    settings = Settings(seed=seed, seconds=search_time, threads=threads, resume=False)
    jobs_of = [
        Job(
            model, str(calibration.resolve()), budget, values.pruning(prune), metric, precision,
            tuple(sorted(values.shapes(shape or []).items())),
            settings, tuple(map(str, plugin or [])), tuple(values.groups(task or []).items()),
        )
        for budget in parsed
    ]  # fmt: skip
    with console.progress() as show:
        points = sweep(jobs_of, processes=processes, dask=dask, show=show)
    best = pareto(points)
    rows = [
        (point.budget, f"{point.nbytes:,}" if point.nbytes else "", _percent(point.loss),
         " to ".join(map(_percent, point.interval)) if point.interval else "",
         "yes" if point in best else "", point.note)
        for point in points
    ]  # fmt: skip
    header = ("budget", "bytes", "loss on the proof part", "95% interval", "best", "note")
    console.table(header, rows)
    controls = {c.budget: c for point in points for c in point.controls}
    console.table(
        ("control", "bytes", "loss on the proof part"),
        [(c.budget, f"{c.nbytes:,}", _percent(c.loss)) for c in controls.values()],
    )
    if plot is not None:
        draw(points, plot)
        console.print(f"{plot}: drawn")
    console.result({"points": points, "best": [point.budget for point in best]})
    if not any(point.nbytes for point in points):
        from edgemoe.errors import BudgetError

        raise BudgetError("no budget can be met; see the notes above\n  try: larger --budgets")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.3%}"
