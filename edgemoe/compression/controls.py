"""What a result must be compared with: uniform formats, and an order by weight error alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from edgemoe.compression.assignment import assign
from edgemoe.compression.calibration import Calibration
from edgemoe.compression.candidates import Candidate
from edgemoe.compression.decision import Decision
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.pruning import Pruning
from edgemoe.compression.scores import scores
from edgemoe.compression.search import Measured, Search
from edgemoe.weight_format import F32, I4, I8

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Control:
    """Another way to make the model small, judged on the same proof part."""

    name: str
    nbytes: int | None
    verdict: Verdict


def controls_of(
    search: Search, proof: Judge, chosen: Measured, original_bytes: int, show: Progress
) -> list[Control]:
    """fp32, uniform int8 and int4, and formats by weight error alone at no more bytes.

    All but fp32 have the same experts as the chosen candidate. A format that --precision leaves to
    no product is no control: what stands in for it would go by a wrong name.
    """
    candidates = {"fp32": Candidate(tuple(F32 for _ in search.units))}
    for name, given in (("uniform int8", I8), ("uniform int4", I4)):
        uniform = search.uniform(given)
        if any(used.bits == given.bits for used in uniform.formats):
            candidates[name] = uniform
    by_weight = by_weight_error(search, chosen.nbytes)
    if by_weight is not None:
        candidates["mixed, by weight error alone"] = by_weight
    found = []
    for number, (name, candidate) in enumerate(candidates.items()):
        show(f"control: {name}", number, len(candidates))
        verdict = proof.fp32() if name == "fp32" else search.judge_on(proof, candidate)
        nbytes = original_bytes if name == "fp32" else search.bytes_of(candidate)
        found.append(Control(name, nbytes, verdict))
    return found


def by_weight_error(search: Search, limit: int) -> Candidate | None:
    """The same integer program, with relative squared errors of weights for sensitivities."""
    if not search.units:
        return None
    formats, nbytes, _, allowed = search.tables()
    errors = np.zeros_like(nbytes)
    for number, (unit, choices) in enumerate(zip(search.units, search.choices, strict=True)):
        size = sum(
            float(np.vdot(w, w)) for n in unit.names
            if (w := search.weights.originals.get(n)) is not None
        )  # fmt: skip
        for given in choices[1:]:
            place = formats.index(given)
            errors[number, place] = search.weight_error(unit, given) / max(size, 1e-30)
    chosen = assign(errors, nbytes, limit - search.fixed_bytes, allowed)
    return None if chosen is None else Candidate(tuple(formats[f] for f in chosen))


class Pruner(Protocol):
    """Judges decisions about experts with all weights in float32."""

    def pruned(self, decision: Decision, judge: Judge) -> Verdict:
        """What a decision alone loses."""


def pruning_controls(
    maker: Pruner, decision: Decision, calibration: Calibration, proof: Judge, show: Progress
) -> list[Control]:
    """The chosen experts and as many random ones, float32: does the task tell them apart?"""
    show("control: random pruning", 0, 1)
    chosen = maker.pruned(decision, proof)
    chance = [
        maker.pruned(
            replace(decision, pruning=random_like(decision.pruning, calibration, seed)), proof
        )
        for seed in RANDOM_SEEDS
    ]
    middle = sorted(chance, key=lambda verdict: verdict.loss)[len(chance) // 2]
    return [
        Control("pruned, fp32 weights", None, chosen),
        Control(f"random pruning of as many, fp32 weights (median of {len(chance)})", None, middle),
    ]


RANDOM_SEEDS = (0, 1, 2)


def random_like(pruning: Pruning, calibration: Calibration, seed: int) -> Pruning:
    """As many experts of every region, chosen by chance."""
    kept = {}
    counts = {key: len(experts) for key, experts in pruning.kept.items()}
    counts |= {key: len(set(merge.target)) for key, merge in pruning.merged.items()}
    for key, count in counts.items():
        region = calibration.regions[key]
        order = np.argsort(scores(region, "random", seed))
        kept[key] = tuple(sorted(int(e) for e in order[: max(count, region.least)]))
    return Pruning(kept)
