"""Draws loss against bytes: what a sweep found, and its controls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgemoe.compression.sweep import Point, pareto
from edgemoe.errors import OptionError, ToolError

SUFFIXES = (".png", ".svg", ".pdf")


def draw(points: Sequence[Point], path: Path) -> None:
    """Write a picture.

    Raises:
        OptionError: the name ends in something else than .png, .svg or .pdf, or cannot be written.
        ToolError: matplotlib is not installed.
    """
    if path.suffix not in SUFFIXES:
        raise OptionError(f"--plot {path}: give a name that ends in {', '.join(SUFFIXES)}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError(
            "--plot needs matplotlib; install it with pip install 'edgemoe[report]'"
        ) from error
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    best = [_place(point) for point in pareto(points)]
    axes.plot([x for x, _ in best], [y for _, y in best], "-", color="0.7")
    met = [p for p in points if p.nbytes is not None and p.loss is not None]
    for point in met:
        x, y = _place(point)
        low, high = point.interval or (y / 100, y / 100)
        axes.plot([x, x], [100 * low, 100 * high], "-", color="C0", lw=1)
        axes.annotate(point.budget, (x, y), textcoords="offset points", xytext=(5, 4), fontsize=8)
    places = [_place(point) for point in met]
    axes.plot([x for x, _ in places], [y for _, y in places], "o", color="C0",
              label="searched, with 95 % interval")  # fmt: skip
    controls = {c.budget: c for point in points for c in point.controls}
    for number, control in enumerate(controls.values()):
        x, y = _place(control)
        axes.plot([x], [y], "x", color=f"C{number + 1}", label=control.budget)
    axes.set_xlabel("bytes of weights")
    axes.set_ylabel("loss on the proof part, %")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f} kB")
    axes.legend(fontsize=8)
    try:
        figure.savefig(path)
    except OSError as error:
        raise OptionError(f"--plot {path} cannot be written: {error.strerror}") from error


def _place(point: Point) -> tuple[float, float]:
    """Bytes, and loss in %."""
    return float(point.nbytes or 0), 100 * (point.loss or 0.0)
