"""What an integer program is made of, as the text that `compile` and `inspect` print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgemoe.cli.console import size, table

SHOWN = 8
"""Names that a line has at most."""


def integer_text(report: Mapping[str, Any], *, verbose: bool) -> str:
    """Widths, formats, controls, and everything that did not become an integer."""
    tensors, controls = report["tensors"], report["controls"]
    formats = Counter(report["formats"].values())
    lines = [
        f"{report['integer_operators']} integer operators, tensors: {tensors['int8']} int8, "
        f"{tensors['int16']} int16; weights: "
        + ", ".join(f"{count} {name}" for name, count in sorted(formats.items())),
    ]
    rows: list[tuple[object, ...]] = [
        (name, f"{found['value']:.6g}", f"{found['loss']:+.3%}", f"{found['error']:.3g}")
        for name, found in controls.items()
    ]
    rows.append(("this", f"{report['value']:.6g}", f"{report['loss']:+.3%}", ""))
    what = (
        "samples that the search did not see"
        if report["proven_on_unseen_samples"]
        else ("samples, of which the scales come: too few to keep some apart")
    )
    head = (f"on {report['samples']} {what}", report["metric"], "loss", "squared error")
    lines.append(table(head, rows).rstrip("\n"))
    lines.append(
        "constants: " + ", ".join(f"{k} {size(v)}" for k, v in sorted(report["bytes"].items()))
    )
    lines += _strips(report.get("strips"))
    islands = report["islands"]
    if islands:
        named = [f"{i['op_type']} {i['origin'] or i['node']} ({i['why']})" for i in islands]
        lines.append(f"{len(islands)} operators stayed float: {_some(named, verbose)}")
    for title, key in (
        ("16 bits by the search", None), ("never seen in calibration", "never_seen"),
    ):  # fmt: skip
        names = tensors["widened_by_the_search"] if key is None else report[key]
        if names:
            lines.append(f"{title}: {_some(names, verbose)}")
    if report["experts_never_chosen"]:
        named = [f"{node}: {ids}" for node, ids in report["experts_never_chosen"].items()]
        lines.append(f"experts that no watched sample chose: {_some(named, verbose)}")
    if report["saturated"]:
        named = [f"{name} {share:.2%}" for name, share in report["saturated"].items()]
        lines.append(f"elements at the end of their range: {_some(named, verbose)}")
    lines += report["notes"]
    return "\n".join(lines) + "\n"


def _strips(strips: Mapping[str, Any] | None) -> list[str]:
    """How strips of an image are rounded, beside what else was tried."""
    if strips is None:
        return []
    lines = []
    if "controls" in strips:
        rows = [
            (name, f"{row['loss']:+.3%}", f"{row['error']:.3g}", size(row["constant_bytes"]),
             "too large" if row["arena_bytes"] is None else size(row["arena_bytes"]))
            for name, row in strips["controls"].items()
        ]  # fmt: skip
        head = (f"{strips['pieces']} strips", "loss", "squared error", "constants", "arena")
        lines.append(table(head, rows).rstrip("\n"))
    for strip, reach in strips.get("outliers", {}).items():
        lines.append(f"strip {strip} has outliers: {reach:g} times as far as the middle strip")
    if strips.get("too_large"):
        listed = ", ".join(map(str, strips["too_large"]))
        lines.append(f"strips that would gain from 16 bits but do not fit --max-ram: {listed}")
    lines.append(f"strips: {strips['choice']} ({strips['reason']})")
    return lines


def _some(names: Sequence[str], verbose: bool) -> str:
    if verbose or len(names) <= SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more (-v shows all)"
