"""Lowers variants with the first precision that keeps the budget of bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir

from edgemoe.errors import BudgetError
from edgemoe.precision import Pin, Precision
from edgemoe.variants import Variant
from edgemoe.weight_format import BF16, F32, I4, I8, parse

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed
    from edgemoe.targets.cpu import Lowered

Progress = Callable[[str, int, int], None]


def precisions_of(
    rest: str, pins: Sequence[Pin], max_bytes: int | None, decided: Compressed | None,
    known: Sequence[str],
) -> list[Precision]:  # fmt: skip
    """What to try, in order; `known` are the formats that a family has, empty: all."""
    if decided is not None:
        return [decided.precision]
    if rest != "auto":
        return [Precision(parse(rest), pins=pins)]
    formats = [F32] if max_bytes is None else [F32, BF16, I8, I4]
    formats = [given for given in formats if not known or str(given) in known]
    return [Precision(given, pins=pins) for given in formats]


def lowered_within(
    title: str,
    variants: Sequence[Variant],
    precisions: Sequence[Precision],
    max_bytes: int | None,
    show: Progress,
    total: int,
    decided: Compressed | None,
    lower: Callable[[Sequence[ir.Model], Sequence[int | None], Precision], Lowered],
    smaller: str,
) -> tuple[Lowered, Precision]:
    """Lower with the first precision that keeps `max_bytes`; `smaller` is advice if none does."""
    for given in precisions:
        show(f"lowering, {given.title} weights", 1 + 2 * len(variants), total)
        graphs, counts = [v.graph for v in variants], [v.count for v in variants]
        lowered = lower(graphs, counts, given)
        if max_bytes is None or lowered.weights.nbytes <= max_bytes:
            given.refuse_unmatched_pins()
            return lowered, given
    over, last = lowered.weights.nbytes - (max_bytes or 0), precisions[-1]
    if decided is not None:
        raise BudgetError(decided.nearest(lowered.weights.nbytes))
    raise BudgetError(
        f"{title} needs {lowered.weights.nbytes:,} B of weights as {last.title}, --max-bytes "
        f"allows {max_bytes:,} B (over by {over:,} B)\n  try: a larger --max-bytes"
        + ("" if last.default.bits < 8 else smaller)
    )
