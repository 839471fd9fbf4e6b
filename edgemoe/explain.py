"""Say what was recognised in a model, the nearest miss of what was not, and where weights go."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.census import Role, census
from edgemoe.graph_pass import Note
from edgemoe.pass_runner import PassReport


@dataclass(frozen=True)
class Candidate:
    """Something that looked like experts or a router, and what became of it."""

    subject: str
    matched: bool
    text: str
    node: str
    origin: str
    facts: dict[str, object]


@dataclass(frozen=True)
class Explanation:
    """What `explain` found; `to_json` gives plain data."""

    candidates: tuple[Candidate, ...]
    census: tuple[Role, ...]
    warnings: tuple[str, ...]
    nodes: int
    tokens: int | None  # rows of the first region

    def to_json(self) -> dict[str, object]:
        """Return dicts, lists, strings and numbers only."""
        return dataclasses.asdict(self)


def explain(model: ir.Model, report: PassReport) -> Explanation:
    """Explain a model after the phases import, canonicalise and recognise.

    Args:
        model: the recognised graph.
        report: what the passes reported on the way.
    """
    candidates = [_candidate(note) for note in report.notes if note.kind != "warning"]
    regions = [node for node in model.graph if graph_facts.kind_of(node) == "MoE"]
    rows = graph_facts.shape_of(regions[0].inputs[0]) if regions else None
    warnings = [note.text for note in report.notes if note.kind == "warning"]
    warnings += [_dense(candidate) for candidate in candidates if candidate.facts.get("dense")]
    if not regions:
        warnings.append("no experts were recognised: the whole model is compiled as a dense one")
    return Explanation(
        tuple(sorted(candidates, key=lambda c: (not c.matched, c.subject != "experts"))),
        tuple(census(model)), tuple(warnings), model.graph.num_nodes(),
        rows[0] if rows else None,
    )  # fmt: skip


def _candidate(note: Note) -> Candidate:
    facts = dict(note.facts)
    return Candidate(note.subject, note.kind == "matched", note.text, note.node, note.origin, facts)


def _dense(candidate: Candidate) -> str:
    where = candidate.origin or candidate.node
    return f"{where}: experts are computed for every token, also where their weight is zero"


def render(explanation: Explanation) -> str:
    """Return the explanation as plain text, at most 100 columns wide where names allow it."""
    lines: list[str] = []
    for matched, title in ((True, "Recognised"), (False, "Not recognised (nearest miss)")):
        found = [c for c in explanation.candidates if c.matched is matched]
        if found:
            lines.append(title)
        for candidate in found:
            where = candidate.origin or candidate.node
            lines.append(f"  {candidate.subject:8} {candidate.text}")
            lines.append(f"           at {where}" if where else "")
            lines += [f"           {line}" for line in _details(candidate)]
    if explanation.census:
        total = sum(role.nbytes for role in explanation.census) or 1
        macs = sum(role.macs for role in explanation.census) or 1
        rows = f" for {explanation.tokens} tokens" if explanation.tokens else ""
        lines += ["Weights", f"  {'role':14} {'count':>6} {'bytes':>15} {'share':>7} "
                  f"{'MACs' + rows:>28} {'share':>7}"]  # fmt: skip
        lines += [
            f"  {r.role:14} {r.weights:6d} {r.nbytes:15,d} {r.nbytes / total:7.1%} "
            f"{r.macs:28,d} {r.macs / macs:7.1%}"
            for r in explanation.census
        ]
    lines += [f"warning: {text}" for text in explanation.warnings]
    return "\n".join(line for line in lines if line) + "\n"


def _details(candidate: Candidate) -> list[str]:
    facts = candidate.facts
    if candidate.subject == "router" and candidate.matched:
        shown = ("score", "k", "bias", "groups", "top_groups", "renormalise", "eps", "scale",
                 "softmax_after", "sigmoid_after", "gamma", "norm", "expert_scale", "skip_from",
                 "applied_to", "jitter", "shared", "capacity")  # fmt: skip
        plain = {"groups": 1, "top_groups": 1, "scale": 1.0, "renormalise": "none", "eps": 0.0}
        text = ", ".join(
            f"{name} {facts[name]}"
            for name in shown
            if facts.get(name) not in (None, False, plain.get(name))
        )
        return [text] if text else []
    reasons = facts.get("reasons")
    if isinstance(reasons, dict):
        return [f"{family}: {reason}" for family, reason in sorted(reasons.items())]
    weights = facts.get("weights")
    return [f"weights {', '.join(map(str, weights))}"] if isinstance(weights, list) else []
