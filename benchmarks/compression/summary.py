"""The table of the README: one line per model, every control in a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.compression.tables import percent, table

HEAD = ("model", "loss by", "pruning", "smaller", "loss, proof part", "loss, test split",
        "uniform int8", "uniform int4", "same bytes by weight error", "equally small dense",
        "as many random experts")  # fmt: skip
"""The cells of controls are: how much smaller, and the loss on the proof part."""

METRICS = {"mse": "MSE", "accuracy": "accuracy", "cross-entropy": "cross-entropy"}


def summary(document: Mapping[str, Any]) -> str:
    """The Markdown table of a run, without the searches that tried to prune and removed nothing."""
    rows = []
    for record in document["models"]:
        for budget in record["promised"]:
            if budget["prune"] == "none" or budget["failed"] is not None or _kept(budget):
                rows.append(_row(record, budget))
    used = [n for n in range(len(HEAD)) if any(row[n] for row in rows)]
    return table([HEAD[n] for n in used], [[row[n] for n in used] for row in rows])


def pruned(document: Mapping[str, Any]) -> str:
    """What removing experts costs by itself, on the test split."""
    rows = [
        [f"`{record['model']}`", f"{each['ratio']:.1%}", percent(each["scored"]),
         ", ".join(percent(loss) for loss in each["random"]), each["scored_loses"]]
        for record in document["models"] for each in record["pruned"]
    ]  # fmt: skip
    head = ["model", "experts removed", "by contribution",
            "as many random ones of the same layers", "by contribution loses"]  # fmt: skip
    return table(head, rows)


def _row(record: Mapping[str, Any], budget: Mapping[str, Any]) -> list[str]:
    first = [f"`{record['model']}`", METRICS.get(record["metric"], record["metric"])]
    if budget["failed"] is not None:
        return [*first, budget["prune"], "none found", *[""] * (len(HEAD) - 4)]
    rows = budget["rows"]
    chosen = rows[0]
    pruned = _starting(rows, "pruned, fp32")
    return [
        *first, "no" if budget["prune"] == "none" else f"{_kept(budget)} experts stay",
        f"**{chosen['ratio']:.2f}x**", percent(chosen["proof"]["loss"]),
        percent(chosen["test"]["loss"]),
        *(_cell(_starting(rows, name)) for name in
          ("uniform int8", "uniform int4", "mixed, by weight", "equally small")),
        "" if pruned is None else
        f"{percent(_starting(rows, 'random')['proof']['loss'])}, "  # type: ignore[index]
        f"chosen ones {percent(pruned['proof']['loss'])}",
    ]  # fmt: skip


def _kept(budget: Mapping[str, Any]) -> int:
    """How many experts stay in the layers that lose some; 0 where none lost any."""
    return sum(len(entry["experts"]) for entry in budget["decision"]["pruning"]["kept"])


def _starting(rows: Sequence[Mapping[str, Any]], start: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if row["name"].startswith(start)), None)


def _cell(row: Mapping[str, Any] | None) -> str:
    return "" if row is None else f"{row['ratio']:.2f}x, {percent(row['proof']['loss'])}"


COMPARED = ("model", "against", "ours loses less / the same / more", "squared error lower",
            "ours has the higher loss to expect")  # fmt: skip


def comparisons(document: Mapping[str, Any]) -> str:
    """How often ours loses less than others of equal bytes or bits, on the test split."""
    rows = []
    for record in document["models"]:
        for against, pairs in _pairs(record).items():
            verdicts = [told for told, _, _ in pairs]
            counts = " / ".join(str(verdicts.count(told)) for told in ("less", "same", "more"))
            lower = sum(ours["error"] < theirs["error"] for _, ours, theirs in pairs)
            higher = sum(ours["floor"] > theirs["floor"] for _, ours, theirs in pairs)
            rows.append([f"`{record['model']}`", against, counts, f"{lower} of {len(pairs)}",
                         str(higher)])  # fmt: skip
    return table(COMPARED, rows)


def _pairs(record: Mapping[str, Any]) -> dict[str, list[tuple[str, Any, Any]]]:
    """Per opponent: which loses less by the bootstrap, our verdict and theirs."""
    found: dict[str, list[tuple[str, Any, Any]]] = {}
    for each in record["equal_bytes"]:
        if each["mixture"] is not None:
            entry = each["mixture_loses"], each["mixture"]["test"], each["uniform"]["test"]
            found.setdefault("uniform formats, equal bytes", []).append(entry)
        if "by_weight" in each:
            entry = each["loses_to_by_weight"], each["mixture"]["test"], each["by_weight"]["test"]
            found.setdefault("formats by weight error, equal bytes", []).append(entry)
    for row in record["equal_bits"].get("peers", ()):
        if row["failed"] is None:
            method = "GPTQ, repaired" if "repaired" in row["method"] else "its own methods"
            entry = row["ours_loses"], row["ours"]["test"], row["test"]
            found.setdefault(f"{row['quantiser']}: {method}, equal bits", []).append(entry)
    return found
