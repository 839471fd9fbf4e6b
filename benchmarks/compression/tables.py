"""The Markdown tables of a run of `benchmarks.compression`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns after the first are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def percent(loss: float) -> str:
    return f"{100 * loss:+.3f} %"


def within(verdict: dict[str, Any] | None) -> str:
    """A loss with its interval."""
    if verdict is None:
        return ""
    low, high = verdict["interval"]
    return f"{percent(verdict['loss'])} ({100 * low:+.2f} to {100 * high:+.2f})"


def size(row: dict[str, Any]) -> list[str]:
    if row["bytes"] is None:
        return ["", ""]
    return [f"{row['bytes']:,}", f"{row['ratio']:.2f}"]


def promised_table(budget: dict[str, Any]) -> str:
    """One budget with its controls."""
    if budget["failed"] is not None:
        return f"no candidate: {budget['failed'].splitlines()[0]}"
    rows = [
        [row["name"], *size(row), within(row["proof"]), within(row["test"])]
        for row in budget["rows"]
    ]
    return table(["way", "bytes", "smaller", "loss, proof part", "loss, test split"], rows)


def equal_bytes_table(records: Sequence[dict[str, Any]], formats: Sequence[str]) -> str:
    """Uniform precisions and the mixtures in their bytes, on the test split."""
    rows = []
    for name, record in zip(formats, records, strict=True):
        one, mixed = record["uniform"], record["mixture"]
        if mixed is None:
            none = ["none as small", "", "", "", "", ""]
            rows.append([name, f"{one['bytes']:,}", within(one["test"]), *none])
            continue
        errors = f"{one['test']['error'] / max(mixed['test']['error'], 1e-12):.1f}"
        floors = " / ".join(percent(v["test"]["floor"]) for v in (one, mixed))
        rows.append(
            [name, f"{one['bytes']:,}", within(one["test"]), within(mixed["test"]), floors, errors,
             record["mixture_loses"], *_by_weight(record)]
        )  # fmt: skip
    head = ["bytes of uniform", "bytes", "uniform loses", "mixture loses",
            "to be expected, uniform / mixture", "squared error, uniform / mixture",
            "mixture loses", "by weight error loses", "mixture loses"]  # fmt: skip
    return table(head, rows)


def _by_weight(record: dict[str, Any]) -> list[str]:
    if "by_weight" not in record:
        return ["", ""]
    return [within(record["by_weight"]["test"]), record["loses_to_by_weight"]]


def pruned_table(records: Sequence[dict[str, Any]]) -> str:
    """Scored and random pruning, float32 weights, on the test split."""
    rows = [
        [f"{record['ratio']:.1%}", percent(record["scored"]),
         ", ".join(percent(loss) for loss in record["random"]), record["scored_loses"]]
        for record in records
    ]  # fmt: skip
    return table(["experts removed", "scored", "random, three seeds", "scored loses"], rows)


def equal_bits_table(compared: dict[str, Any]) -> str:
    """Ours and every quantiser, sorted by bits, block and loss."""
    listed = [r for r in [*compared["ours"], *compared["peers"]] if r["failed"] is None]
    listed.sort(key=lambda r: (not r["experts"], r["bits"], r["block"], r["test"]["error"]))
    rows = []
    for r in listed:
        scope = "all" if r["experts"] else "without experts"
        mine = r.get("ours")
        rows.append(
            [r["name"], str(r["bits"]), str(r["block"]), scope, f"{r['left_in_float']:,}",
             f"{r['bytes']:,}", within(r["test"]), f"{r['test']['error']:.3e}",
             within(mine["test"]) if mine else "", f"{mine['test']['error']:.3e}" if mine else "",
             r.get("ours_loses", "")]
        )  # fmt: skip
    head = ["quantiser", "bits", "block", "matrices", "weights left in float32", "bytes", "loss",
            "squared error", "ours gptq, same matrices and bytes", "squared error",
            "ours loses"]  # fmt: skip
    failures = [
        f"{r['quantiser']} {r['method']}, {r['bits']} bits, blocks of {r['block']}: {r['failed']}"
        for r in compared["peers"] if r["failed"] is not None and r["experts"]
    ]  # fmt: skip
    return "\n".join([table(head, rows), *failures])


def files_table(records: Sequence[dict[str, Any]]) -> str:
    """Exported files through onnxruntime's quantiser."""
    rows = [
        [f"{r['method']} {r['bits']} bits, blocks of {r['block']}",
         f"{r['taken']:,} of {r['weights']:,}", f"{r['file_bytes']:,}", percent(r["loss"]),
         f"{r['error']:.3e}"]
        for r in records
    ]  # fmt: skip
    return table(["whole file", "weights taken", "bytes of file", "loss", "squared error"], rows)


def document_text(document: dict[str, Any]) -> str:
    """All tables of a run."""
    parts = []
    for record in document["models"]:
        parts.append(f"## {record['model']}")
        cpu = document["machine"]["cpu"]
        parts.append(f"`{record['command']}` on {cpu}, {record['started']}")
        for budget in record["promised"]:
            title = f"promised {budget['max_loss']:.1%}, prune {budget['prune']}"
            parts += [f"### {title}", promised_table(budget)]
        if record["pruned"]:
            parts += ["### pruning alone, float32", pruned_table(record["pruned"])]
        if record["equal_bytes"]:
            parts.append("### at equal bytes")
            parts.append(equal_bytes_table(record["equal_bytes"], document["formats"]))
        if record["equal_bits"]:
            parts += ["### at equal bits, weight-only", equal_bits_table(record["equal_bits"])]
        if record["files"]:
            parts += ["### onnxruntime's quantiser on the file", files_table(record["files"])]
    return "\n\n".join(parts)
