"""What a person should know about an integer model; nothing is left out silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.judge import Verdict
from edgemoe.compression.samples import Samples
from edgemoe.integer.facts import Facts
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.search import Search

Array = NDArray[Any]

WATCHED = 16
"""Samples on which saturation is counted."""

WORTH_SAYING = 1e-3
"""A tensor is named when more of its elements than this lie at the ends of its codes."""


def report_of(
    model: IntegerModel,
    facts: Facts,
    verdict: Verdict,
    search: Search,
    controls: Mapping[str, Verdict],
    widened: frozenset[str],
    part: Samples,
    *,
    proven: bool,
    every: frozenset[str],
) -> dict[str, Any]:
    """The report of the chosen candidate as JSON holds it."""
    wide = [n for n, q in model.tensors.items() if q.bits == 16]
    operators = [n for n in model.model.graph if n.domain == DOMAIN]
    return {
        "metric": verdict.metric, "output": verdict.output, "loss": verdict.loss,
        "interval": list(verdict.interval), "value": verdict.value, "baseline": verdict.baseline,
        "samples": verdict.samples, "proven_on_unseen_samples": proven,
        "controls": {
            name: {"value": v.value, "loss": v.loss, "error": v.error}
            for name, v in controls.items()
        },
        "tensors": {
            "int8": len(model.tensors) - len(wide), "int16": len(wide),
            "widened_by_the_search": sorted(widened),
            "gain_of_16_bits": {n: round(g, 4) for n, g in sorted(search.gains.items())},
        },
        "integer_operators": len(operators),
        "islands": [asdict(island) for island in model.islands],
        "bytes": model.bytes_by_role(),
        "weight_bytes": model.weight_bytes,
        "formats": {name: given.name for name, given in sorted(model.formats.items())},
        "never_seen": sorted(
            name for name in every
            if (s := facts.seen.get(name)) is None or not s.count or s.low == s.high == 0.0
        ) + list(facts.unseen),
        "experts_never_chosen": _unchosen(model, part),
        "saturated": _saturated(model, part),
        "notes": list(search.notes),
    }  # fmt: skip


def _saturated(model: IntegerModel, part: Samples) -> dict[str, float]:
    """The share of elements at the ends of the codes, for tensors where it is worth saying."""
    total: dict[str, list[float]] = {}
    for number in part.numbers[:WATCHED]:
        for name, share in model.saturation(part.feed(number)).items():
            total.setdefault(name, []).append(share)
    means = {name: float(np.mean(shares)) for name, shares in total.items()}
    return {n: round(m, 5) for n, m in sorted(means.items()) if m > WORTH_SAYING}


def _unchosen(model: IntegerModel, part: Samples) -> dict[str, list[int]]:
    """Experts that no token of the watched samples chose, by the node that would use them."""
    routed = {
        str(node.inputs[1].name): (str(node.name), node)
        for node in model.model.graph
        if node.domain == DOMAIN
        and node.op_type in ("ExpertLinear", "ExpertSum")
        and node.inputs[1] is not None
    }
    chosen: dict[str, set[int]] = {name: set() for name in routed}

    def look(name: str, array: Array) -> None:
        if name in chosen:
            chosen[name] |= set(np.unique(array).tolist())

    for number in part.numbers[:WATCHED]:
        model.program.run(model.encode(part.feed(number)), look)
    found = {}
    for name, (title, node) in routed.items():
        weight = node.inputs[2 if node.op_type == "ExpertLinear" else 3]
        assert weight is not None and weight.shape is not None
        rest = sorted(set(range(int(weight.shape[0]))) - chosen[name])  # type: ignore[arg-type]
        if rest:
            found[title] = rest
    return found
