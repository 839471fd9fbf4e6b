"""What `explain` finds: candidates and nearest misses, where weights and work go, how much is fast.

The JSON form is a contract: docs/explain.md lists every key, and `SCHEMA` counts up when one of
them changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.census import (
    EXPERT_PRODUCTS,
    Role,
    census,
    expert_weights,
    is_weight,
    nbytes_of,
    roles_of,
)
from edgemoe.coverage import GenericNode, Kernels, UnsupportedNode, kernels_of
from edgemoe.errors import BudgetError, StrictError
from edgemoe.graph_facts import name_of
from edgemoe.graph_pass import Note
from edgemoe.near_experts import NearExperts, near_experts
from edgemoe.pass_runner import PassReport
from edgemoe.plugins import Plugin
from edgemoe.shared_experts import shared_experts

SCHEMA = 1


@dataclass(frozen=True)
class Candidate:
    """Something that looked like experts, a router or a mixer, and what became of it."""

    subject: str
    matched: bool
    text: str
    node: str
    origin: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Coverage:
    """How much was recognised, and how much runs on kernels of ours; shares are 0 to 1.

    `expert_share` is None without anything that looks like experts, `macs_share` without products.
    """

    expert_nbytes: int
    expert_nbytes_recognised: int
    expert_share: float | None
    macs: int
    macs_fast: int
    macs_share: float | None
    weight_nbytes: int
    weight_nbytes_fast: int
    weight_share: float | None


@dataclass(frozen=True)
class Explanation:
    """What `explain` found; `to_json` gives plain data."""

    candidates: tuple[Candidate, ...]
    census: tuple[Role, ...]
    coverage: Coverage
    generic: tuple[GenericNode, ...]
    generic_ops: dict[str, int]
    unsupported: tuple[UnsupportedNode, ...]
    warnings: tuple[str, ...]
    nodes: int
    tokens: int | None  # rows of the first region
    plugins: tuple[str, ...] = ()
    schema: int = field(default=SCHEMA)

    def to_json(self) -> dict[str, object]:
        """Return dicts, lists, strings, numbers and None only; docs/explain.md has the keys."""
        return dict(sorted(dataclasses.asdict(self).items()))

    @property
    def problems(self) -> tuple[str, ...]:
        """What `check(strict=True)` refuses, one line each."""
        found = [
            f"{c.subject} not recognised at {c.origin or c.node}: {c.text}"
            for c in self.candidates if not c.matched
        ]  # fmt: skip
        found += [f"dense experts at {text}" for text in self.warnings if "for every token" in text]
        found += [f"unsupported operator {n.op} of {n.origin or n.node}" for n in self.unsupported]
        return (*found, *(f"generic kernel for {n.op} of {n.origin or n.node}: {n.macs:,} MACs"
                          for n in self.generic))  # fmt: skip

    def check(self, *, strict: bool = False, require_coverage: float | None = None) -> None:
        """Hold the explanation to what is asked of it.

        Args:
            strict: refuse every miss, dense experts, and generic kernels with products.
            require_coverage: the smallest share, 0 to 1, of bytes of expert weights that are
                recognised, and of multiply-accumulates on kernels of ours.

        Raises:
            StrictError: `strict`, and something is not optimal; it lists what.
            BudgetError: a share is below `require_coverage`.
        """
        if strict and self.problems:
            shown = "\n".join(f"  {problem}" for problem in self.problems[:20])
            more = len(self.problems) - 20
            rest = f"\n  ... and {more} more" if more > 0 else ""
            raise StrictError(
                f"--strict: {len(self.problems)} places are not optimal:\n{shown}{rest}\n"
                "  next: docs/explain.md says what can be done about each; or leave --strict out"
            )
        self._require(require_coverage)

    def _require(self, wanted: float | None) -> None:
        c = self.coverage
        shares = [share for share in (c.expert_share, c.macs_share) if share is not None]
        if wanted is None or all(share >= wanted for share in shares):
            return
        raise BudgetError(
            f"--require-coverage {wanted:g} is not met: {percent(c.expert_share)} of "
            f"{c.expert_nbytes:,} B of expert weights are recognised, and "
            f"{percent(c.macs_share)} of {c.macs:,} multiply-accumulates run on kernels of ours\n"
            "  next: the nearest misses above say what is in the way; or give a smaller number"
        )


def explain_graph(
    model: ir.Model,
    report: PassReport,
    *,
    notes: Sequence[str] = (),
    plugins: Sequence[Plugin] = (),
) -> Explanation:
    """Explain a model after the phases import, canonicalise and recognise.

    Args:
        model: the recognised graph; it is left as it is.
        report: what the passes reported on the way.
        notes: warnings of the front end.
        plugins: what took part from outside the tree.
    """
    near = near_experts(model)
    candidates = _candidates(model, report.notes, near)
    missed = list(dict.fromkeys(w for each in near for w in each.weights))
    given = dict.fromkeys(missed, "expert") | _mixer_weights(model, report.notes)
    kernels = kernels_of(model, plugins)
    regions = [node for node in model.graph if graph_facts.kind_of(node) == "MoE"]
    rows = graph_facts.shape_of(regions[0].inputs[0]) if regions else None
    return Explanation(
        candidates=tuple(sorted(candidates, key=_rank)),
        census=tuple(census(model, roles_of(model, given))),
        coverage=_coverage(model, missed, kernels),
        generic=kernels.generic, generic_ops=kernels.generic_ops,
        unsupported=kernels.unsupported,
        warnings=tuple(_warnings(report.notes, notes, candidates, kernels, bool(regions))),
        nodes=model.graph.num_nodes(), tokens=rows[0] if rows else None,
        plugins=tuple(plugin.name for plugin in plugins),
    )  # fmt: skip


def percent(share: float | None) -> str:
    """Return a share as text: never 100.0% for less than all."""
    if share is None:
        return "n/a"
    return f"{share if share in (0, 1) else min(max(share, 0.001), 0.999):.1%}"


def _rank(candidate: Candidate) -> tuple[bool, bool]:
    return not candidate.matched, candidate.subject != "experts"


def _candidates(
    model: ir.Model, notes: Sequence[Note], near: Sequence[NearExperts]
) -> list[Candidate]:
    calls = {node.op_type: node for node in model.graph if graph_facts.kind_of(node) == "MoE"}
    left = list(near)
    found = []
    for note in notes:
        if note.kind == "warning":
            continue
        facts = dict(note.facts)
        if note.kind == "matched" and note.subject == "experts":
            facts |= _beside(calls.get(str(facts.get("region"))))
        mine = [n for n in left if note.node in n.nodes and note.kind == "missed"]
        for each in mine:
            facts = _near_facts(each) | facts
            left.remove(each)
        found.append(
            Candidate(
                note.subject, note.kind == "matched", note.text, note.node, note.origin, facts
            )
        )
    for each in left:
        origin = graph_facts.origin_of(each.node)
        found.append(
            Candidate("experts", False, each.text, name_of(each.node), origin, _near_facts(each))
        )
    return found


def _near_facts(near: NearExperts) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "form": near.form, "E": near.source.experts, "router": name_of(near.source.node),
        "weights": [str(value.name) for value in near.weights],
        "weight_nbytes": sum(map(nbytes_of, near.weights)), "dense": near.dense,
    }  # fmt: skip
    if near.source.chosen is not None:
        facts["k"] = near.source.chosen
    return facts


def _beside(region: ir.Node | None) -> dict[str, Any]:
    """Return the bytes of a region's experts, and its shared experts."""
    if region is None:
        return {}
    facts: dict[str, Any] = {"weight_nbytes": sum(map(nbytes_of, expert_weights(region)))}
    found = shared_experts(region)
    if found is not None:
        facts["shared_experts"] = {
            "count": found.count, "gated": found.gated,
            "weights": [str(value.name) for value in found.weights],
            "weight_nbytes": sum(map(nbytes_of, found.weights)),
        }  # fmt: skip
    return facts


def _mixer_weights(model: ir.Model, notes: Sequence[Note]) -> dict[ir.Value, str]:
    """Return the weights that passes say belong to mixers."""
    names = [
        str(name) for note in notes if note.subject == "mixer" and note.kind == "matched"
        for name in _as_list(note.facts.get("weights"))
    ]  # fmt: skip
    known = model.graph.initializers
    return {known[name]: "mixer" for name in names if name in known}


def _as_list(found: object) -> list[Any]:
    return list(found) if isinstance(found, list | tuple) else []


def _coverage(model: ir.Model, missed: Sequence[ir.Value], kernels: Kernels) -> Coverage:
    recognised = {
        value for node in model.graph
        if graph_facts.kind_of(node) in ("MoE", *EXPERT_PRODUCTS)
        for value in expert_weights(node) if is_weight(value)
    }  # fmt: skip
    known = sum(map(nbytes_of, recognised))
    every = known + sum(nbytes_of(value) for value in missed if value not in recognised)
    return Coverage(
        every, known, _share(known, every),
        kernels.total_macs, kernels.fast_macs, _share(kernels.fast_macs, kernels.total_macs),
        kernels.total_nbytes, kernels.fast_nbytes,
        _share(kernels.fast_nbytes, kernels.total_nbytes),
    )  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _warnings(
    notes: Sequence[Note],
    more: Sequence[str],
    candidates: Sequence[Candidate],
    kernels: Kernels,
    regions: bool,
) -> list[str]:
    found = [*more, *(note.text for note in notes if note.kind == "warning")]
    found += [_dense(c) for c in candidates if not c.matched and c.facts.get("dense")]
    if not regions:
        found.append("no experts were recognised: the whole model is compiled as a dense one")
    if kernels.unknown_products:
        found.append(
            f"{kernels.unknown_products} products have sizes that depend on data; their "
            "multiply-accumulates count nowhere above"
        )
    if kernels.failure:
        found.append(f"the graph could not be fused: {kernels.failure}")
    by_reason: dict[tuple[str, str], list[str]] = {}
    for node in kernels.unsupported:
        by_reason.setdefault((node.op, node.reason), []).append(node.origin or node.node)
    for (op, reason), places in by_reason.items():
        shown = ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
        found.append(f"operator {op} cannot be compiled, {reason}: {shown}")
    return list(dict.fromkeys(found))


def _dense(candidate: Candidate) -> str:
    where = candidate.origin or candidate.node
    if candidate.origin and candidate.node:
        where = f"{candidate.origin}, node {candidate.node}"
    experts, chosen = candidate.facts.get("E"), candidate.facts.get("k")
    if not experts:
        return f"{where}: experts are computed for every token, also where their weight is zero"
    if not chosen:
        return (
            f"{where}: {experts} experts are computed for every token, up to {experts} times the "
            "multiply-accumulates of one; no score is known to be zero"
        )
    return (
        f"{where}: {experts} experts are computed for every token, {chosen} are chosen: "
        f"{experts / chosen:.3g} times the multiply-accumulates that are needed"
    )
