"""Scales for every strip of an image by itself, and 16 bits for strips that need them.

Where memory asks for it, a part of a graph is computed strip by strip (`--max-ram`). What lies
between its ends are then other tensors in every strip, which need not share their scales:

    t.strip0, t.strip1, t.strip2 <- -1 to 1, -40 to 40, -1 to 1: the outliers of one strip would
                                    cost the others five of their bits

QuantMCU (2024, arXiv 2401.13714) tells patches with outliers from the
others by the values that calibration saw, and computes what follows from them with more bits. Here
every strip has the int8 scales of its own range, which costs no instruction; strips are given 16
bits in the order of what that gains, as long as it gains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Verdict
from edgemoe.integer.candidate import Candidate, Trials
from edgemoe.integer.facts import facts_of
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.ranges import Seen, watch
from edgemoe.integer.search import GAIN, MOST

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

STRIP = ".strip"
"""Tensor t of strip 2 is called t.strip2."""

OUTLIER = 2.0
"""A strip holds outliers where it reaches so many times as far as the middle one of all strips.

In one scale with it, the others lose a bit.
"""

SCALES = "scales of strips"

DRAWS = 3
"""Sets of other strips that are given 16 bits as a control."""


class Division(Protocol):
    """Part of a program that is computed in `pieces` strips, of a target's choice."""

    @property
    def pieces(self) -> int:
        """Number of strips."""

    def of_floats(self, graph: ir.Model) -> ir.Model | None:
        """A float graph in the same strips, which meet in a Concat; None: it has no such part."""

    def of_integers(self, graph: ir.Model) -> ir.Model:
        """The integer graph that asked for strips, in strips of common scales."""

    def placed(self, graph: ir.Model) -> ir.Model:
        """An integer graph of what `of_floats` gave, as the target lowers it."""

    def arena_bytes(self, graph: ir.Model) -> int | None:
        """What a graph of `of_integers` or `placed` takes; None: more than is allowed."""


@dataclass(frozen=True)
class Choice:
    """One way to round strips: its program, and what it takes and loses on the proof part."""

    model: IntegerModel
    verdict: Verdict
    arena_bytes: int | None

    def row(self) -> dict[str, Any]:
        """As a report has it; `error` is squared, relative to float32."""
        return {
            "error": self.verdict.error, "loss": self.verdict.loss,
            "constant_bytes": self.model.weight_bytes, "arena_bytes": self.arena_bytes,
        }  # fmt: skip


@dataclass(frozen=True)
class Rounded:
    """A program in strips, what it loses on the proof part, its error on the other, a report."""

    model: IntegerModel
    candidate: Candidate
    verdict: Verdict
    error: float
    said: dict[str, Any]


@dataclass
class StripScales:
    """Finds the rounding of the strips of one division.

    Args of the constructor:
        candidate: how the program without strips rounds.
        division: which part is computed in strips.
        feeds: the samples that ranges come from.
        trials: measures candidates on the search part; has the facts of the program.
        proofs: the same on the proof part.
        goal: what has to hold.
        show: called with (what, done, total).
    """

    candidate: Candidate
    division: Division
    feeds: Callable[[], Iterator[Mapping[str, Array]]]
    trials: Trials
    proofs: Trials
    goal: Goal
    show: Progress
    too_large: list[int] = field(default_factory=list)

    def choose(self) -> Rounded:
        """The program in strips: with common scales where others do not gain."""
        said: dict[str, Any] = {"pieces": self.division.pieces}
        facts = self.trials.facts
        floats = self.division.of_floats(facts.model)
        if floats is None:
            return self._common({**said, "reason": "the float graph has no such part"})
        self.show("ranges of strips", 0, 1)
        seen = watch(floats, self.feeds(), self.goal.seed)
        new = {name: one for name, one in seen.items() if name not in facts.seen}
        outliers = outliers_of(new, self.division.pieces)
        if not outliers:
            return self._common({**said, "reason": "no strip has outliers"})
        said["outliers"] = {str(strip): reach for strip, reach in outliers.items()}
        shared = bulk_of(new, self.division.pieces)
        own_facts = replace(
            facts_of(floats, {**facts.seen, **new, **shared}, facts.grams),
            samples=facts.samples, unseen=facts.unseen,
        )  # fmt: skip
        trials, proofs = (Trials(own_facts, t.judge) for t in (self.trials, self.proofs))
        own = self._own()
        chosen, wide = self._widened(trials, own)
        return self._proven(trials, proofs, own, chosen, wide, said)

    def _common(self, said: Mapping[str, Any]) -> Rounded:
        """Strips in the scales of the program without strips: the same bits."""
        whole = self.trials.model(self.candidate)
        return Rounded(
            replace(whole, model=self.division.of_integers(whole.model)), self.candidate,
            self.proofs.measure(self.candidate).verdict,
            self.trials.measure(self.candidate).verdict.error,
            {**said, "choice": "common scales"},
        )  # fmt: skip

    def _own(self) -> Candidate:
        """The same widths, in every strip."""
        pieces = range(self.division.pieces)
        named = {f"{name}{STRIP}{n}" for name in self.candidate.wide for n in pieces}
        return replace(self.candidate, wide=self.candidate.wide | named)

    def _widened(self, trials: Trials, own: Candidate) -> tuple[Candidate, list[int]]:
        """16 bits for strips, the one that gains most first, and their numbers."""
        base = error = trials.measure(own).verdict.error
        pieces, wide, current = self.division.pieces, list[int](), own
        ranked = []
        for strip in range(pieces):
            self.show("which strips need 16 bits", strip, pieces)
            wider = self._with(trials, own, [strip])
            if wider != own:
                ranked.append((trials.measure(wider, MOST).verdict.error, strip))
        for _, strip in sorted(ranked):
            wider = self._with(trials, own, [*wide, strip])
            found = trials.measure(wider).verdict.error
            if found >= (1.0 - GAIN / pieces) * error:  # a strip is that much of its tensors
                break
            if self._arena(trials.model(wider)) is None:
                self.too_large.append(strip)
                continue
            current, error = wider, found
            wide.append(strip)
        return (current, sorted(wide)) if error < (1.0 - GAIN) * base else (own, [])

    def _with(self, trials: Trials, own: Candidate, strips: Sequence[int]) -> Candidate:
        """`own` with 16 bits for all tensors of some strips."""
        tensors = trials.model(own).tensors
        names = {n for n in tensors for strip in strips if n.endswith(f"{STRIP}{strip}")}
        return replace(own, wide=own.wide | names - self._fixed(trials))

    def _fixed(self, trials: Trials) -> frozenset[str]:
        return frozenset(trials.facts.constraints.narrow)

    def _arena(self, model: IntegerModel) -> int | None:
        return self.division.arena_bytes(self.division.placed(model.model))

    def _proven(
        self, trials: Trials, proofs: Trials, own: Candidate, chosen: Candidate, wide: list[int],
        said: Mapping[str, Any],
    ) -> Rounded:  # fmt: skip
        """What gains on samples that no choice was made on, beside its controls."""
        common = self._common({})
        room = self.division.arena_bytes(common.model.model)
        tried = {SCALES: own, **({f"{SCALES}, int16 in {_list(wide)}": chosen} if wide else {})}
        choices = {title: self._choice(proofs, c) for title, c in tried.items()}
        every = self._choice(proofs, self._with(proofs, own, range(self.division.pieces)))
        rows = {"common scales": Choice(common.model, common.verdict, room).row()}
        rows |= {title: choice.row() for title, choice in choices.items()}
        rows |= {"all strips int16": every.row()}
        if wide:
            rows |= self._others(proofs, own, wide)
        said = {**said, "controls": rows, "too_large": self.too_large}
        best, error = "", common.verdict.error
        for title, choice in choices.items():
            gains = choice.verdict.error < (1.0 - GAIN) * error
            if gains and choice.arena_bytes is not None and self._holds(choice):
                best, error = title, choice.verdict.error
        if not best:
            reason = f"scales of their own take less than {GAIN:.0%} off the squared error"
            return self._common({**said, "reason": reason})
        model, verdict = choices[best].model, choices[best].verdict
        gain = 1.0 - error / common.verdict.error
        reason = f"{gain:.1%} less squared error than with common scales"
        return Rounded(
            replace(model, model=self.division.placed(model.model)), tried[best], verdict,
            trials.measure(tried[best]).verdict.error,
            {**said, "choice": best, "int16": wide if best != SCALES else [], "reason": reason},
        )  # fmt: skip

    def _holds(self, choice: Choice) -> bool:
        most = self.goal.max_bytes
        return self.goal.holds(choice.verdict) and (
            most is None or choice.model.weight_bytes <= most
        )

    def _choice(self, proofs: Trials, candidate: Candidate) -> Choice:
        model, verdict = proofs.model(candidate), proofs.measure(candidate).verdict
        return Choice(model, verdict, self._arena(model))

    def _others(self, proofs: Trials, own: Candidate, wide: Sequence[int]) -> dict[str, Any]:
        """As many strips as in `wide` at 16 bits, but others: the mean over some sets of them."""
        strips = range(self.division.pieces)
        sets = [s for s in combinations(strips, len(wide)) if set(s) != set(wide)]
        if not sets:
            return {}
        drawn = np.random.default_rng(self.goal.seed).permutation(len(sets))[:DRAWS]
        found = [self._choice(proofs, self._with(proofs, own, sets[n])) for n in drawn]
        first = found[0].row()
        for name in ("error", "loss"):
            first[name] = float(np.mean([choice.row()[name] for choice in found]))
        return {"as many other strips int16": first}


def _list(strips: Sequence[int]) -> str:
    return ", ".join(map(str, strips))


def outliers_of(seen: Mapping[str, Seen], pieces: int) -> dict[int, float]:
    """How far strips with outliers reach, by the reach of the middle strip, at their worst tensor.

    Args:
        seen: what calibration saw of the tensors of strips, by name.
        pieces: number of strips.
    """
    found: dict[int, float] = {}
    for _, reaches, middle in _reaches(seen, pieces):
        for strip, reach in reaches.items():
            if reach >= OUTLIER * middle:
                found[strip] = max(found.get(strip, 0.0), round(reach / middle, 2))
    return dict(sorted(found.items()))


def bulk_of(seen: Mapping[str, Seen], pieces: int) -> dict[str, Seen]:
    """What was seen of the strips without outliers as one, by the name of each: their one scale.

    Args: as of `outliers_of`.
    """
    found: dict[str, Seen] = {}
    for name, reaches, middle in _reaches(seen, pieces):
        bulk = [f"{name}{STRIP}{n}" for n, r in reaches.items() if r < OUTLIER * middle]
        whole = seen[bulk[0]]
        for strip in bulk[1:]:
            whole = whole.joined(seen[strip])
        found.update(dict.fromkeys(bulk, whole))
    return found


def _reaches(
    seen: Mapping[str, Seen], pieces: int
) -> Iterator[tuple[str, dict[int, float], float]]:
    """Tensors, how far they reach by strip, and in the middle one (of two, the lesser).

    A strip may have all that it needs of a tensor from the one before, and none of its own.
    """
    first = f"{STRIP}0"
    for name in [n.removesuffix(first) for n in seen if n.endswith(first)]:
        strips = {n: seen.get(f"{name}{STRIP}{n}") for n in range(pieces)}
        reaches = {n: max(one.high, -one.low) for n, one in strips.items() if one is not None}
        middle = sorted(reaches.values())[(len(reaches) - 1) // 2]
        if middle > 0.0:
            yield name, reaches, middle
