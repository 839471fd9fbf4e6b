"""The plot of a run: a panel per case, a bar per contestant that counts for something."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

COLOURS = {32: "#4c72b0", 16: "#55a868", 8: "#dd8452", 4: "#8172b3"}
"""By bits of a weight."""


def plot(document: Mapping[str, Any], path: Path) -> None:
    """Draw microseconds per call; ours has a black frame. Needs the extra `report`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    records = document["records"]
    columns = min(4, len(records))
    rows = -(-len(records) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(5 * columns, 5 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(records) :]:
        axis.remove()
    for axis, record in zip(axes.flat, records, strict=False):
        ran = [row for row in record["rows"] if row["failed"] is None][::-1]
        axis.barh(
            [row["name"] for row in ran],
            [row["microseconds"] for row in ran],
            color=[COLOURS[row["bits"]] for row in ran],
            edgecolor=["black" if row["peer"] == "ours" else "none" for row in ran],
            linewidth=1.5,
        )
        axis.set_xscale("log")
        axis.set_xlabel("microseconds per call")
        axis.set_title(f"{record['case']}, threads {record['threads']}")
        axis.tick_params(axis="y", labelsize=7)
    patches = [pyplot.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    names = [f"{bits} bits" for bits in COLOURS]
    figure.legend(patches, names, loc="outside lower center", ncols=len(names))
    figure.suptitle(document["machine"]["cpu"])
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
