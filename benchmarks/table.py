"""Tables in Markdown, made of the JSON alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ratios import as_accurate, median_ratio

Record = Mapping[str, Any]

FORMATS = ("f32", "bf16", "f16", "i8", "i8.g32", "i4", "i4.g64", "i4.g128")


def case_table(record: Record) -> str:
    """All contestants of one case, fastest first.

    The ratio is that of the fastest of ours with as many bits: our time over theirs, below 1 we are
    faster. A ratio in brackets does not count, because the error is too far from ours.
    """
    lines = [
        f"### {record['case']}, {record['threads']} thread{'s' * (record['threads'] > 1)}",
        "| contestant | bits | us | ours / it | error | RSS MB | of bandwidth | of peak |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    ran = [row for row in record["rows"] if row["failed"] is None]
    for row in ran:
        cells = [
            row["name"], str(row["bits"]), f"{row['microseconds']:,.1f}", _ratio(row, ran),
            f"{row['error']:.1e}", f"{row['rss_mb']:.0f}",
            _percent(row["bandwidth_share"]), _percent(row["peak_share"]),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    failed = [row for row in record["rows"] if row["failed"] is not None]
    lines += [f"\n- {row['name']}: {_reason(row['failed'])}" for row in failed]
    return "\n".join(lines)


def _reason(failed: str) -> str:
    return "not supported" if failed.startswith("OptionError") else failed


def _ratio(row: Record, ran: Sequence[Record]) -> str:
    ours = next((r for r in ran if r["peer"] == "ours" and r["bits"] == row["bits"]), None)
    if ours is None or row["peer"] == "ours":
        return ""
    ratio = f"{median_ratio(ours['rounds_us'], row['rounds_us']):.2f}"
    return ratio if as_accurate(row["error"], ours["error"]) else f"({ratio})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}%"


def best_table(document: Mapping[str, Any]) -> str:
    """Our time over that of the best peer of each case and format; below 1 we are faster."""
    records = document["records"]
    shown = [f for f in FORMATS if any(_best(record, f) is not None for record in records)]
    lines = [
        f"| case | threads | {' | '.join(shown)} |",
        f"|---|--:|{'---|' * len(shown)}",
    ]
    for record in records:
        cells = [_best_cell(record, format_) for format_ in shown]
        lines.append(f"| {record['case']} | {record['threads']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _best(record: Record, format_: str) -> Record | None:
    """Ours in this format: of a decoder the one whose caches stay in place, as in use."""
    by_name = {best["ours"]: best for best in record["best"]}
    return by_name.get(f"ours {format_} in place", by_name.get(f"ours {format_}"))


def _best_cell(record: Record, format_: str) -> str:
    best = _best(record, format_)
    if best is None:
        return "not supported"
    return "no peer" if best["ratio"] is None else f"{best['ratio']:.2f} ({best['peer']})"


def document_text(document: Mapping[str, Any]) -> str:
    """Everything: the summary, each case, the machine, and the command that repeats it."""
    machine = document["machine"]
    caches = ", ".join(f"{k} {v // 1024:,} KiB" for k, v in machine["caches"].items())
    parts = [
        "Our time / that of the best peer with the same bits per weight and no worse error; "
        "below 1 we are faster.",
        best_table(document),
        *(case_table(record) for record in document["records"]),
        f"Machine: {machine['cpu']}, {machine['cpus']} CPUs, {' '.join(machine['flags'])}, "
        f"{caches}; load average {machine['load_average']:.1f} at the start.",
        "Versions: "
        + "; ".join(f"{k} {v}" for of in document["versions"].values() for k, v in of.items()),
        f"Repeat: `{document['command']}`",
    ]
    return "\n\n".join(parts)
