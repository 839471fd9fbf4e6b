"""Which tensors between the steps of a GPU program may lie in memory as float16.

Everything that is computed from float inputs, states or weights is an activation and becomes
float16, but for

- what a router reads and writes: experts are chosen by small differences, and a score of exactly
  zero says that an expert is not active;
- what is computed from integers and constants alone: angles of positions, masks;
- parts of sums that kernels hand to each other.

Inputs, outputs, states and constants keep their dtypes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgemoe.plan import Buffer, Decision, Pointer, Region, Step, Variant

ROUTING = frozenset({"route", "topk", "group_slots"})
"""Templates of steps that decide which experts are active."""

PARTS = {"attention_join": (0,), "quantise_rows": (2,)}
"""Positions of tensors that are no activations, by template: parts of sums, scales of codes."""

SUBJECT = "activations"


def chosen(
    buffers: Sequence[Buffer], steps: Sequence[Step], templates: Mapping[str, str],
    regions: Sequence[Region],
) -> set[int]:  # fmt: skip
    """Numbers of the buffers that become float16."""
    from_floats = _from_floats(buffers, steps)
    kept = {region.buffer for region in regions}
    for step in steps:
        numbers = [a.buffer for a in step.arguments if isinstance(a, Pointer)]
        if templates[step.kernel] in ROUTING:
            kept |= set(numbers)
        kept |= {numbers[i] for i in PARTS.get(templates[step.kernel], ())}
    return {
        number
        for number, buffer in enumerate(buffers)
        if buffer.where == "arena" and buffer.dtype == "float32"
        and number in from_floats and number not in kept
    }  # fmt: skip


def _from_floats(buffers: Sequence[Buffer], steps: Sequence[Step]) -> set[int]:
    """Buffers that depend on float inputs, or on weights of products.

    A step whose tensors are all made of integers and plain constants makes more of the same. What
    a step is the first to touch is its result.
    """
    touched: set[int] = set()
    found = {
        number
        for number, buffer in enumerate(buffers)
        if buffer.where == "input" and buffer.dtype not in ("int32", "uint32")
    }
    for step in steps:
        numbers = [a.buffer for a in step.arguments if isinstance(a, Pointer)]
        packed = any(
            buffers[n].where == "weights" and buffers[n].dtype in ("uint32", "float16")
            for n in numbers
        )
        if packed or found.intersection(numbers):
            found |= set(numbers) - touched
        touched |= set(numbers)
    return found


def decision(variants: Sequence[Variant]) -> Decision:
    """What became of the tensors of all variants, and what the artifact's self-test bounds."""
    inside = [b for v in variants for b in v.buffers if b.where == "arena" and b.first >= 0]
    halves = [b for b in inside if b.dtype == "float16"]
    kept = [b for b in inside if b.dtype == "float32"]
    return Decision(
        SUBJECT, "float16",
        f"the target has fp16: {len(halves)} of {len(halves) + len(kept)} tensors between steps, "
        f"{sum(b.nbytes for b in halves):,} B, sums stay float32; {len(kept)} tensors of routers, "
        f"positions and parts of sums stay float32; the self-test bounds the RMS of the difference "
        '(activations = "float32" in the target file keeps float32)',
    )  # fmt: skip
