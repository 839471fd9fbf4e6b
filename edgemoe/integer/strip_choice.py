"""Whether a limit of memory computes a program in strips, and how the strips are rounded then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.compression.goal import Goal
from edgemoe.errors import BudgetError
from edgemoe.integer.candidate import Candidate, Trials
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.search import GAIN
from edgemoe.integer.strip_scales import STRIP, Division, Rounded, StripScales

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

NO_STRIPS = (
    "no strip has outliers: no part is computed in strips of an image, in which alone scales may "
    "differ (pieces of rows run the same code)"
)
"""What a report says of a program that its limit of memory does not cut in strips."""


def in_strips(
    candidate: Candidate, start: Candidate, divide: Callable[[IntegerModel], Division | None],
    feeds: Callable[[], Iterator[Mapping[str, Array]]], trials: Trials, proofs: Trials, goal: Goal,
    show: Progress,
) -> tuple[Rounded, Division] | None:  # fmt: skip
    """The program in the strips that a limit of memory asks for; None: it needs none.

    Scales of strips may do what the search gave whole tensors 16 bits for, with less memory, and so
    with fewer strips: these tensors are tried with 8 bits, too.

    Args:
        candidate: what the search has chosen.
        start: what it began with.
        divide: tells the strips of a program, if it needs some; raises BudgetError where none do.
        feeds: the samples that ranges come from.
        trials: measures candidates on the search part.
        proofs: the same on the proof part.
        goal: what has to hold.
        show: called with (what, done, total).

    Raises:
        BudgetError: no strips keep the limit of memory.
    """

    def rounded(base: Candidate, division: Division) -> Rounded:
        return StripScales(base, division, feeds, trials, proofs, goal, show).choose()

    def divided(base: Candidate) -> Division | None:
        try:
            return divide(trials.model(base))
        except BudgetError:
            return None

    def without(names: Set[str]) -> Candidate:
        return replace(candidate, wide=candidate.wide - names)

    floats = trials.facts.model
    widened = candidate.wide - start.wide
    try:
        division = divide(trials.model(candidate))
    except BudgetError:
        least = divided(without(widened))
        if least is None:
            raise
        for names in (widened & _inside(least.of_floats(floats)), widened):
            division = divided(without(names))
            found = None if division is None else rounded(without(names), division)
            if found is not None and division is not None and goal.holds(found.verdict):
                return found, division
        raise
    if division is None:
        return None
    first = rounded(candidate, division), division
    inside = widened & _inside(division.of_floats(floats))
    division = divided(without(inside)) if inside else None
    if division is not None:
        second = rounded(without(inside), division)
        if second.error <= first[0].error / (1.0 - GAIN) and goal.holds(second.verdict):
            _compare(second, first[0])
            return second, division
    return first


def _inside(floats: ir.Model | None) -> set[str]:
    """Tensors that lie in strips alone, by their names without strips."""
    if floats is None:
        return set()
    ending = f"{STRIP}0"
    inside = [v for node in floats.graph for v in node.outputs if str(v.name).endswith(ending)]
    ends = {v for v in inside if all(use.node.op_type == "Concat" for use in v.uses())}
    return {str(v.name).removesuffix(ending) for v in inside if v not in ends}


def _compare(chosen: Rounded, other: Rounded) -> None:
    """Put what was the choice of whole tensors among the controls."""
    rows = other.said.get("controls", {})
    if "common scales" in rows and "controls" in chosen.said:
        chosen.said["controls"]["whole tensors int16"] = rows["common scales"]
