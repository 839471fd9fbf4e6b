"""What a search decided, as the text that `compile` and `inspect` print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgemoe.cli.console import size, table


def accuracy_lines(accuracy: Mapping[str, Any]) -> list[str]:
    """The figures of a manifest, one line each."""
    if not accuracy:
        return []
    if "relative_rms_error" not in accuracy:
        return [f"{key}: {value}" for key, value in accuracy.items()]
    errors = ", ".join(
        f"{name} {error:.3g}" for name, error in accuracy["relative_rms_error"].items()
    )
    if "metric" not in accuracy:
        return [
            f"relative RMS error: {errors or 'none, every output is the same'}, on "
            f"{accuracy['data']}, against {accuracy['baseline']}",
            *([f"warning: {accuracy['warning']}"] if "warning" in accuracy else []),
        ]
    low, high = accuracy["interval"]
    lines = [
        f"{accuracy['metric']} of {accuracy['output']}: loss {accuracy['loss']:+.3%} (95% interval "
        f"{low:+.3%} to {high:+.3%}), {accuracy['value']:.6g} against "
        f"{accuracy['fp32']:.6g} in fp32",
        *counted_line(accuracy),
        *(
            f"{own['metric']} of {name}: loss {own['loss']:+.3%} (95% interval "
            f"{own['interval'][0]:+.3%} to {own['interval'][1]:+.3%})"
            for name, own in accuracy.get("outputs", {}).items()
            if name != accuracy["output"]
        ),
        f"on {accuracy['data']}, against {accuracy['baseline']}",
    ]
    return [*lines, f"relative RMS error: {errors}"]


def counted_line(verdict: Mapping[str, Any]) -> list[str]:
    """What decides where the measured loss is smaller than can be expected of other samples."""
    from edgemoe.measured_loss import by_chance

    floor = verdict.get("floor", 0.0)
    return [by_chance(verdict["loss"], floor)] if floor > verdict["loss"] else []


def compression_text(report: Mapping[str, Any], *, verbose: bool) -> str:
    """Bytes, formats, controls, and with `verbose` every unit and every region."""
    before, after = report["bytes"]["before"], report["bytes"]["after"]
    total = report["total"]
    rows: list[tuple[object, ...]] = [
        (role, size(before[role]), size(after[role]), f"{before[role] / max(after[role], 1):.2f}x")
        for role in before
    ]
    ratio = total["before"] / max(total["after"], 1)
    rows.append(("all", size(total["before"]), size(total["after"]), f"{ratio:.2f}x"))
    parts = [table(("role", "f32", "now", "smaller"), rows)]
    parts.append(f"average {report['average_bits']:.2f} bits per weight of a product")
    parts.append(_controls(report))
    if report.get("metric_groups"):
        parts.append(table(GROUP_COLUMNS, _groups(report)))
    parts += _pruning(report)
    if verbose:
        parts.append(_units(report))
        parts += [_region(region) for region in report["calibration"]["regions"]]
    unseen = report["calibration"]["unseen"]
    if unseen:
        parts.append(f"never seen in calibration: {', '.join(unseen[:8])}"
                     + (f" and {len(unseen) - 8} more" if len(unseen) > 8 else ""))  # fmt: skip
    nearest = [*report["rounding"]["nearest"], *report["rounding"]["unseen"]]
    if nearest:
        parts.append(f"rounded to nearest, for want of inputs: {', '.join(nearest[:8])}")
    parts.append(
        f"{report['runs']:,} runs in {report['seconds']:.0f} s, {report['reused']} verdicts from "
        "an earlier try"
    )
    return "\n".join(parts) + "\n"


def _controls(report: Mapping[str, Any]) -> str:
    chosen = {"name": "this model", "bytes": report["total"]["after"], **report["proof"]}
    rows = [
        (entry["name"], "" if entry["bytes"] is None else f"{entry['bytes']:,}",
         f"{entry['loss']:+.3%}", f"{entry['interval'][0]:+.3%} to {entry['interval'][1]:+.3%}",
         f"{entry['value']:.6g}")
        for entry in (chosen, *report["controls"])
    ]  # fmt: skip
    metric = report["proof"]["metric"]
    return table(("on the proof part", "bytes", "loss", "95% interval", metric), rows)


GROUP_COLUMNS = (
    "judged", "loss on the proof part", "layers that hurt it most", "f32", "now", "bits", "which",
)  # fmt: skip


def _groups(report: Mapping[str, Any], most: int = 3) -> list[tuple[object, ...]]:
    """Every judged output with the layers that hurt it most, the first of them by name."""
    return [
        (f"{g['metric']} of {g['output']}", f"{g['loss']:+.3%}", len(g["layers"]),
         f"{g['bytes']['before']:,}", f"{g['bytes']['after']:,}", f"{g['average_bits']:.2f}",
         ", ".join(g["layers"][:most]) + (", ..." if len(g["layers"]) > most else ""))
        for g in report["metric_groups"]
    ]  # fmt: skip


def _pruning(report: Mapping[str, Any]) -> list[str]:
    pruning = report["pruning"]
    lines = []
    regions = {tuple(r["weights"]): r for r in report["calibration"]["regions"] if "weights" in r}
    for entry in pruning["kept"]:
        region = regions.get(tuple(entry["weights"]), {})
        experts = region.get("experts", "?")
        lines.append(
            f"{region.get('region', entry['weights'][0])}: {len(entry['experts'])} of {experts} "
            "experts stay"
        )
    for entry in pruning["merged"]:
        region = regions.get(tuple(entry["weights"]), {})
        lines.append(
            f"{region.get('region', entry['weights'][0])}: {len(entry['target'])} experts become "
            f"{len(set(entry['target']))}"
        )
    for entry in report["tried"]:
        line = f"pruning {entry['ratio']:.1%} of the experts alone: {entry['loss']:+.3%}"
        lines.append(", ".join([line, *counted_line(entry)]))
    return lines + list(report["notes"]) + list(pruning["notes"])


def _units(report: Mapping[str, Any]) -> str:
    several = bool(report.get("metric_groups"))
    rows = [
        (unit["weights"][0], unit["role"], f"{unit['shape'][1]} -> {unit['shape'][0]}",
         unit["experts"] or "", unit["format"], f"{unit['bytes']:,}", f"{unit['alone']:.2e}",
         *([unit["hurts"] or ""] if several else []))
        for unit in report["units"]
    ]  # fmt: skip
    columns = ("weight", "role", "shape", "experts", "format", "bytes", "error alone")
    return table((*columns, *(["hurts most"] if several else [])), rows)


def _region(region: Mapping[str, Any]) -> str:
    sparsity = ", ".join(
        f"{name} {region[name]:.3f}" for name in ("TLS", "CLS_8", "CLS_32")
        if region.get(name) is not None
    )  # fmt: skip
    uses = " ".join(f"{count:,}" for count in region["uses"])
    return f"{region['region']}: {sparsity}; tokens per expert, of {region['tokens']:,}: {uses}"
