"""A plan as text for people: variants, steps, the arena as a picture, weights, decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from edgemoe.plan import Buffer, Plan, TensorInfo, Variant

ROWS = 24
COLUMNS = 64
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def describe(plan: Plan, *, steps: bool = True) -> str:
    """Return the whole plan as text."""
    lines = [
        f"{plan.name} for {plan.target}: {', '.join(plan.isas)} (best last)",
        *(f"  input   {_tensor(info)}" for info in plan.inputs),
        *(f"  output  {_tensor(info)}" for info in plan.outputs),
        f"  other token counts: {plan.dispatch}"
        + (f" ({plan.dispatch_reason})" if plan.dispatch_reason else ""),
    ]
    for number in range(len(plan.variants)):
        lines += ["", *_variant(plan, number, steps)]
    lines += ["", *_weights(plan)]
    if plan.decisions:
        lines += ["", "decisions:"]
        for item in plan.decisions:
            place = f" at {item.origin}" if item.origin else ""
            lines.append(f"  {item.subject}{place}: {item.choice}, because {item.reason}")
    return "\n".join(lines) + "\n"


def _tensor(info: TensorInfo) -> str:
    shape = ", ".join("n" if extent < 0 else str(extent) for extent in info.shape)
    state = f", becomes {info.state_output} in the next call" if info.state_output else ""
    return f"{info.name}: {info.dtype} [{shape}]{state}"


def _variant(plan: Plan, number: int, steps: bool) -> Iterator[str]:
    variant = plan.variants[number]
    tokens = "static shape" if variant.tokens is None else f"{variant.tokens} tokens"
    yield (
        f"variant {number}: {tokens}, {len(variant.steps)} steps, arena {variant.arena_bytes:,} B "
        f"(lower bound {variant.lower_bound_bytes:,} B)"
    )
    if steps:
        for position, step in enumerate(variant.steps):
            origin = f"  {step.origin}" if step.origin else ""
            why = f"  ({step.reason})" if step.reason else ""
            dynamic = " x active" if step.tasks_from is not None else ""
            loop = variant.loop_at(position)
            if loop is not None and position == loop.first:
                skipped = ", those with tokens" if loop.counts is not None else ""
                yield f"        {loop.trips} times, over {loop.kind}{skipped}: steps to {loop.last}"
            yield (
                f"  {position:4d}  {step.kernel}  tasks {step.tasks}{dynamic}  "
                f"{step.label}{origin}{why}"
            )
    for region in variant.regions:
        yield (
            f"  experts {region.name} {region.origin}: {region.routing}, {region.experts} experts, "
            f"{region.chosen} chosen, {region.expert_bytes:,} B each"
        )
    yield from arena_picture(variant)


def arena_picture(variant: Variant, rows: int = ROWS, columns: int = COLUMNS) -> Iterator[str]:
    """Draw the arena: steps from left to right, bytes from top to bottom, a letter per buffer.

    A cell shows the first buffer that is live in it; `.` is free, `#` two buffers of which one is
    not an in-place view of the other (smaller than a cell, or a bug).
    """
    buffers = [b for b in variant.buffers if b.where == "arena" and b.first >= 0]
    if not buffers or variant.arena_bytes <= 0:
        yield "  arena: empty"
        return
    count = max(1, len(variant.steps))
    columns, rows = min(columns, count), min(rows, max(1, variant.arena_bytes // 64))
    grid: list[list[str]] = [["."] * columns for _ in range(rows)]
    for number, buffer in enumerate(sorted(buffers, key=lambda b: (b.first, b.offset))):
        _draw(grid, buffer, _LETTERS[number % len(_LETTERS)], variant.arena_bytes, count)
    yield f"  arena: {columns} columns for {count} steps, {rows} rows for the bytes"
    for row in range(rows):
        offset = row * variant.arena_bytes // rows
        yield f"  {offset:>12,}  {''.join(grid[row])}"
    for number, buffer in enumerate(sorted(buffers, key=lambda b: (b.first, b.offset))):
        if number < len(_LETTERS):
            shape = "x".join(map(str, buffer.shape)) or "scalar"
            yield (
                f"    {_LETTERS[number]} {buffer.name}: {buffer.dtype} {shape}, {buffer.nbytes:,} "
                f"B at {buffer.offset:,}, steps {buffer.first}-{buffer.last}"
            )


def _draw(grid: list[list[str]], buffer: Buffer, letter: str, total: int, steps: int) -> None:
    rows, columns = len(grid), len(grid[0])
    top = buffer.offset * rows // total
    bottom = max(top + 1, -(-(buffer.offset + buffer.nbytes) * rows // total))
    left = buffer.first * columns // steps
    right = max(left + 1, -(-(buffer.last + 1) * columns // steps))
    for row in range(top, min(bottom, rows)):
        for column in range(left, min(right, columns)):
            free = grid[row][column] == "." or buffer.shares is not None
            grid[row][column] = letter if free else "#"


def _weights(plan: Plan) -> Iterator[str]:
    yield f"weights: {plan.weights_bytes:,} B in {len(plan.weights)} sections"
    sums: dict[tuple[str, str], list[int]] = defaultdict(list)
    for section in plan.weights:
        sums[section.role or "other", section.format].append(section.nbytes)
    for (role, form), sizes in sorted(sums.items()):
        yield f"  {role} {form}: {sum(sizes):,} B in {len(sizes)} sections"
    experts: dict[str, list[int]] = defaultdict(list)
    for section in plan.weights:
        if section.expert is not None:
            experts[section.name].append(section.nbytes)
    for name, sizes in experts.items():
        yield f"  {name}: {len(sizes)} experts of {max(sizes):,} B"
