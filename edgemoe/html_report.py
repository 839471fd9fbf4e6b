"""One self-contained HTML page about an artifact: a view of its plan, manifest and report."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from edgemoe.plan import Buffer, Plan, Variant

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --bar: #4a7fb5; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; font-size: 13px } td, th { padding: .2rem .7rem .2rem 0;
  text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
td.n { text-align: right; font-variant-numeric: tabular-nums } code { font-size: 12px }
.wide { overflow-x: auto } svg { max-width: 100%; border: 1px solid var(--line) }
"""
_COLOURS = ("#4a7fb5", "#c9803c", "#5b9a57", "#b5584a", "#8a6bb0", "#7a6a58", "#c27ba5", "#6b9aa0")


def html_report(plan: Plan, manifest: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Return the page; it loads nothing from anywhere.

    Args:
        plan: the artifact's plan.
        manifest: the whole of its `manifest.json`.
        report: its `report.json`, shown as it is.
    """
    title = f"{plan.name} for {plan.target}"
    memory = manifest["memory"]
    parts = [
        f"<h1>{_text(title)}</h1>",
        _table(
            ("", ""),
            [
                ("instruction sets", ", ".join(plan.isas)),
                ("weights", f"{memory['weights_bytes']:,} B"),
                ("arena", f"{memory['arena_bytes']:,} B"),
                ("lower bound", f"{memory['lower_bound_bytes']:,} B"),
                ("other token counts", f"{plan.dispatch} {plan.dispatch_reason}"),
                ("command", manifest["command"]),
                *((f"{name} version", text) for name, text in manifest["versions"].items()),
            ],
        ),
        "<h2>Inputs and outputs</h2>",
        _table(
            ("", "name", "dtype", "shape", "state"),
            [
                (kind, x.name, x.dtype, ", ".join("n" if e < 0 else str(e) for e in x.shape),
                 x.state_output or "")
                for kind, infos in (("input", plan.inputs), ("output", plan.outputs))
                for x in infos
            ],
        ),
    ]  # fmt: skip
    if manifest["accuracy"]:
        parts += ["<h2>Accuracy</h2>", _table(("", ""), list(manifest["accuracy"].items()))]
    if plan.decisions:
        rows = [(d.subject, d.choice, d.reason, d.origin) for d in plan.decisions]
        parts += ["<h2>Decisions</h2>", _table(("what", "choice", "reason", "where"), rows)]
    for variant in plan.variants:
        parts += _variant(variant)
    parts += ["<h2>Weights</h2>", _weights(plan)]
    if "compression" in report:
        parts += _compression(report["compression"])
    if report:
        text = _text(json.dumps(report, indent=1))
        parts += ["<h2>Report</h2>", f'<div class="wide"><pre><code>{text}</code></pre></div>']
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{_text(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</html>\n"
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header) if any(header) else ""
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>\n{body}\n</table></div>'


def _cell(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{_text(value)}</td>"


def _variant(variant: Variant) -> list[str]:
    tokens = "static shape" if variant.tokens is None else f"{variant.tokens} tokens"
    rows = [
        (number, step.label or step.kernel, step.origin, step.kernel, step.tasks, step.macs,
         step.nbytes, step.reason)
        for number, step in enumerate(variant.steps)
    ]  # fmt: skip
    header = ("step", "what", "where", "kernel", "tasks", "MACs", "bytes", "why")
    return [
        f"<h2>Variant: {tokens}</h2>",
        f"<p>{len(variant.steps)} steps, arena {variant.arena_bytes:,} B, lower bound "
        f"{variant.lower_bound_bytes:,} B.</p>",
        _picture(variant),
        _table(header, rows),
    ]


def _picture(variant: Variant, width: int = 960, height: int = 240) -> str:
    """Draw the arena: steps from left to right, bytes from top to bottom."""
    buffers = [b for b in variant.buffers if b.where == "arena" and b.first >= 0]
    if not buffers or variant.arena_bytes <= 0:
        return ""
    x, y = width / max(1, len(variant.steps)), height / variant.arena_bytes

    def rectangle(number: int, b: Buffer) -> str:
        title = f"{b.name}, {b.nbytes:,} B at {b.offset:,}, steps {b.first} to {b.last}"
        return (
            f'<rect x="{b.first * x:.1f}" y="{b.offset * y:.1f}" '
            f'width="{(b.last + 1 - b.first) * x:.1f}" height="{max(1.0, b.nbytes * y):.1f}" '
            f'fill="{_COLOURS[number % len(_COLOURS)]}" fill-opacity="0.75" stroke="#0005">'
            f"<title>{_text(title)}</title></rect>"
        )

    shapes = "\n".join(rectangle(number, b) for number, b in enumerate(buffers))
    label = "the arena: steps from left to right, bytes from top to bottom"
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">\n{shapes}\n</svg>'


def _compression(found: Mapping[str, Any]) -> list[str]:
    """What a search decided: bytes by role, the proof beside its controls, every format."""
    before, after, total = found["bytes"]["before"], found["bytes"]["after"], found["total"]
    chosen = {"name": "this model", "bytes": total["after"], **found["proof"]}
    controls = [
        (c["name"], "" if c["bytes"] is None else c["bytes"], f"{c['loss']:+.3%}",
         f"{c['interval'][0]:+.3%} to {c['interval'][1]:+.3%}", f"{c['value']:.6g}")
        for c in (chosen, *found["controls"])
    ]  # fmt: skip
    units = [
        (", ".join(u["weights"]), u["role"], " x ".join(map(str, u["shape"])), u["experts"],
         u["format"], u["bytes"], f"{u['alone']:.2e}",
         *([u["hurts"] or ""] if found.get("metric_groups") else []))
        for u in found["units"]
    ]  # fmt: skip
    regions = [
        (r["region"], r["experts"], " ".join(map(str, r["uses"])),
         *("" if r.get(k) is None else f"{r[k]:.3f}" for k in ("TLS", "CLS_8", "CLS_32")))
        for r in found["calibration"]["regions"]
    ]  # fmt: skip
    parts = [
        "<h2>Compression</h2>",
        _table(("role", "bytes before", "bytes now"),
               [(role, size, after.get(role, 0)) for role, size in before.items()]
               + [("all", total["before"], total["after"])]),
        f"<p>Average {found['average_bits']:.2f} bits per weight of a product.</p>",
        _table(("on the proof part", "bytes", "loss", "95% interval", found["proof"]["metric"]),
               controls),
        _table(("weight", "role", "shape", "experts", "format", "bytes", "error alone",
                *(["hurts most"] if found.get("metric_groups") else [])), units),
    ]  # fmt: skip
    groups = [
        (f"{g['metric']} of {g['output']}", f"{g['loss']:+.3%}", ", ".join(g["layers"]),
         g["bytes"]["before"], g["bytes"]["after"], f"{g['average_bits']:.2f}")
        for g in found.get("metric_groups", ())
    ]  # fmt: skip
    if groups:
        header = ("judged", "loss on the proof part", "layers that hurt it most", "bytes in f32",
                  "bytes now", "bits")  # fmt: skip
        parts.append(_table(header, groups))
    if regions:
        header = ("experts of", "E", "tokens per expert", "TLS", "CLS_8", "CLS_32")
        parts.append(_table(header, regions))
    return parts


def _weights(plan: Plan) -> str:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for section in plan.weights:
        count, total = sums.get((section.role, section.format), (0, 0))
        sums[section.role, section.format] = (count + 1, total + section.nbytes)
    rows = [(role, form, *pair) for (role, form), pair in sorted(sums.items())]
    return _table(("role", "format", "sections", "bytes"), rows)
