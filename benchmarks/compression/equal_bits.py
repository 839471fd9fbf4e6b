"""Our uniform formats and quantisers of other projects, weight-only, in as many bits per weight.

Every quantiser gets the same matrices and the same Gram matrices of their inputs, an expert a
matrix of its own, and everything is judged by one session on the test split, float32 activations.
A quantiser that leaves a matrix in float32 is compared with ours in float32 there too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression.matrices import Matrix, matrices_of, put_back
from benchmarks.compression.progress import say
from benchmarks.compression.row import Row, difference, row, tells
from benchmarks.compression.shipped import Shipped
from benchmarks.environments import environment, python_of
from benchmarks.quantiser import Outcome, Stored, Variant, quantiser_names, run_in, write_task
from edgemoe.compression.compressed import Compressed
from edgemoe.compression.judge import Verdict
from edgemoe.compression.rounding import gptq
from edgemoe.compression.units import unit_bytes
from edgemoe.quantise import Codes, quantise
from edgemoe.weight_format import WeightFormat, parse

BLOCKS = (32, 64, 128)

OURS = {
    **{Variant(f"{how}{zp}", 4, block): f"i4.g{block}{'.zp' if zp else ''}.a32"
       for block in BLOCKS for how in ("gptq", "nearest") for zp in ("", " zero points")},
    **{Variant(f"{how}", 8, block): f"i8.g{block}.a32"
       for block in (32, 128) for how in ("gptq", "nearest")},
}  # fmt: skip
"""Formats by the variant that they are compared as."""

PEERS = tuple(name for name in quantiser_names())


class Comparison:
    """One model: verdicts of weights on the test split, ours and others'."""

    def __init__(self, model: Shipped, found: Compressed) -> None:
        self.model, self.search = model, found.search
        self.matrices = matrices_of(found)
        self.metric = next(iter(model.task.metrics.values()))
        self.whole = self.search.bytes_of(self.search.best)
        self._ours: dict[Variant, dict[int, Stored]] = {}
        self._beside: dict[tuple[Variant, bool, frozenset[int]], tuple[Verdict, int]] = {}

    @property
    def has_experts(self) -> bool:
        """Whether some matrices are experts."""
        return any(matrix.expert is not None for matrix in self.matrices)

    def takes_any(self, outcome: Outcome, *, experts: bool) -> bool:
        """Whether there is anything to compare: a matrix that was taken, or a failure."""
        taken = [self.matrices[number] for number in outcome.stored]
        return outcome.failed is not None or any(experts or m.expert is None for m in taken)

    def judged(self, stored: Mapping[int, Stored], *, experts: bool) -> tuple[Verdict, int, int]:
        """The verdict, the bytes of the model, and the weights that stay float32."""
        arrays, nbytes, left = put_back(self.search, self.matrices, stored, experts=experts)
        trial = self.search.trial
        verdict = self.model.test.judge(lambda feed: trial.run(feed, arrays, {}), together=True)
        return verdict, nbytes, left

    def ours(self, variant: Variant) -> dict[int, Stored]:
        """Our rounding of every matrix."""
        if variant not in self._ours:
            given = parse(OURS[variant])
            by_gram = variant.method.startswith("gptq")
            self._ours[variant] = {
                number: rounded(matrix, given, by_gram=by_gram)
                for number, matrix in enumerate(self.matrices)
            }
        return self._ours[variant]

    def beside(self, variant: Variant, taken: frozenset[int], *, experts: bool) -> Any:
        """The verdict and the bytes of ours where only these matrices are rounded, kept."""
        key = (variant, experts, taken)
        if key not in self._beside:
            own = {n: s for n, s in self.ours(variant).items() if n in taken}
            verdict, nbytes, _ = self.judged(own, experts=experts)
            self._beside[key] = verdict, nbytes
        return self._beside[key]

    def record(self, who: str, outcome: Outcome, *, experts: bool) -> tuple[Row, Verdict | None]:
        """The row of a quantiser, ours or another, and its verdict where it did not fail."""
        variant = outcome.variant
        facts = {"quantiser": who, "method": variant.method, "bits": variant.bits,
                 "block": variant.block, "experts": experts, "failed": outcome.failed}  # fmt: skip
        if outcome.failed is not None:
            return facts, None
        verdict, nbytes, left = self.judged(outcome.stored, experts=experts)
        name = f"{who} {variant.method}"
        found = {**facts, **row(name, nbytes, self.whole, verdict), "left_in_float": left}
        return found, verdict

    def matched(self, outcome: Outcome) -> Variant:
        """Ours by GPTQ: with zero points where theirs has as many bytes, or more."""
        given = outcome.variant
        plain, zeros = (Variant(m, given.bits, given.block) for m in ("gptq", "gptq zero points"))
        if zeros not in OURS:
            return plain
        own = self.ours(zeros)
        needed = sum(own[number].nbytes for number in outcome.stored)
        return zeros if needed <= sum(s.nbytes for s in outcome.stored.values()) else plain

    def against(self, who: str, outcome: Outcome, *, experts: bool) -> dict[str, Any]:
        """A quantiser's row, with ours in as many bits and bytes, on the matrices that it took."""
        found, theirs = self.record(who, outcome, experts=experts)
        if theirs is None:
            return found
        variant = self.matched(outcome)
        verdict, nbytes = self.beside(variant, frozenset(outcome.stored), experts=experts)
        gap = difference(self.metric, verdict, theirs)
        mine = row(f"ours {variant.method}, same matrices", nbytes, self.whole, verdict)
        return {**found, "ours": mine, "difference": list(gap), "ours_loses": tells(gap)}


def rounded(matrix: Matrix, given: WeightFormat, *, by_gram: bool) -> Stored:
    """A matrix in one of our formats, with its part of the unit's packed bytes."""
    depth, unit = matrix.rows.shape[1], matrix.unit
    given = given.for_depth(depth)
    codes: Codes = (
        gptq(matrix.rows, given, matrix.gram) if by_gram else quantise(matrix.rows, given)
    )
    nbytes = unit_bytes(unit, given) * matrix.rows.size // unit.parameters
    return Stored(codes.dequantise(depth), nbytes)


def compare(
    model: Shipped, found: Compressed, peers: Sequence[str] = PEERS
) -> dict[str, list[dict[str, Any]]]:
    """Rows of ours and of every quantiser that is installed, with and without the experts."""
    comparison = Comparison(model, found)
    scopes = (True, False) if comparison.has_experts else (True,)
    parts = [(who, outcome) for who in peers for outcome in outcomes_of(who, comparison.matrices)]
    ours, theirs = [], []
    for experts in scopes:
        say(model.name)(f"equal bits, {'all matrices' if experts else 'without experts'}", 0, 1)
        for variant in OURS:
            outcome = Outcome(variant, comparison.ours(variant))
            ours.append(comparison.record("ours", outcome, experts=experts)[0])
        for who, outcome in parts:
            if comparison.takes_any(outcome, experts=experts):
                theirs.append(comparison.against(who, outcome, experts=experts))
    weights = sum(matrix.rows.size for matrix in comparison.matrices)
    in_experts = sum(m.rows.size for m in comparison.matrices if m.expert is not None)
    return {
        "ours": ours, "peers": theirs,
        "weights": [{"all": int(weights), "in_experts": int(in_experts)}],
    }  # fmt: skip


def outcomes_of(who: str, matrices: Sequence[Matrix]) -> list[Outcome]:
    """Let a quantiser do all that it can; nothing where it is not installed."""
    python = python_of(who)
    if python is None:
        say(who)("not installed: python -m benchmarks.compression --install " + who, 0, 1)
        return []
    say(who)(f"{len(matrices)} matrices", 0, 1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [np.ascontiguousarray(m.rows, np.float32) for m in matrices]
        write_task(Path(folder), rows, [m.gram for m in matrices])
        return run_in(python, who, Path(folder), environment(1))
