"""Fold what is alike in repeated layers into one entry: "model.layers.0-11.mlp"."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgemoe.explanation import Candidate

# A name with a number in it: node_Add_57, layers.3.mlp, MoE_0; but no plain number.
_NAME = re.compile(r"(?=[\w./]*[A-Za-z_])[\w./]*\d[\w./]*")
_NAMES = ("region", "weights", "router", "shared_experts", "reasons", "node")


@dataclass(frozen=True)
class Folded:
    """Candidates that are alike, and where they are."""

    candidates: tuple[Candidate, ...]
    where: str


def fold(candidates: Sequence[Candidate]) -> list[Folded]:
    """Group candidates that differ in names only, in the order of the first of each group."""
    groups: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(_key(candidate), []).append(candidate)
    return [Folded(tuple(group), places([place_of(c) for c in group])) for group in groups.values()]


def place_of(candidate: Candidate) -> str:
    """Return the module path; what the names of the weights share; or the name of a node."""
    if candidate.origin or not candidate.matched:
        return candidate.origin or candidate.node
    weights = candidate.facts.get("weights")
    parts = [str(name).split(".") for name in weights] if isinstance(weights, list) else []
    common = [row[0] for row in zip(*parts, strict=False)]
    for index, row in enumerate(zip(*parts, strict=False)):
        if len(set(row)) > 1:
            common = common[:index]
            break
    if len(common) > 1:
        return ".".join(common)
    return str(candidate.facts.get("region") or candidate.node)


def places(names: Sequence[str]) -> str:
    """Write names as one where they differ in a single number, else the first of them."""
    unique = list(dict.fromkeys(names))
    parts = [re.split(r"(\d+)", name) for name in unique]
    if len(unique) > 1 and len({len(p) for p in parts}) == 1:
        varying = [i for i in range(len(parts[0])) if len({p[i] for p in parts}) > 1]
        if len(varying) == 1 and varying[0] % 2:
            place = varying[0]
            numbers = _ranges(sorted(int(p[place]) for p in parts))
            return "".join([*parts[0][:place], numbers, *parts[0][place + 1 :]])
    more = f" and {len(unique) - 1} more" if len(unique) > 1 else ""
    return unique[0] + more


def _ranges(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _key(candidate: Candidate) -> tuple[str, ...]:
    facts = {name: value for name, value in candidate.facts.items() if name not in _NAMES}
    shared = candidate.facts.get("shared_experts")
    if isinstance(shared, dict):
        facts["shared"] = [shared["count"], shared["gated"], shared["weight_nbytes"]]
    return (
        candidate.subject, str(candidate.matched), _NAME.sub("*", candidate.text),
        re.sub(r"\d+", "#", candidate.origin), json.dumps(facts, sort_keys=True, default=str),
    )  # fmt: skip
