"""`--max-ram`: runs of steps that treat rows alone are cut into pieces, so that less is live.

    for each piece of rows: linear 512x7 -> 32, gelu; linear 32 -> 7, add

What lies between such steps then has the rows of one piece. Nothing is computed twice, but weights
are read once per piece.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgemoe.errors import BudgetError
from edgemoe.plan import DTYPE_BYTES, Decision, Loop, Pointer, Step, Variant
from edgemoe.targets.program import Program


class RamError(BudgetError):
    """`--max-ram` cannot be kept, by `over` bytes at the least that was found."""

    def __init__(self, message: str, over: int) -> None:
        super().__init__(message)
        self.over = over


@dataclass(frozen=True)
class Run:
    """Steps `first` to `last`, which can be cut along the same `rows` rows.

    `inner` are the buffers that only these steps touch, by rows alone.
    """

    first: int
    last: int
    rows: int
    inner: frozenset[int]

    def pieces(self) -> list[int]:
        """Numbers of pieces of equal size, from 1 on."""
        return [n for n in range(1, self.rows + 1) if self.rows % n == 0]


@dataclass(frozen=True)
class Tiled:
    """A variant that keeps the budget, with what that costs."""

    variant: Variant
    decision: Decision


def within(
    program: Program, max_ram: int, fixed: int, alignment: int, title: str, target: str
) -> Tiled:
    """Cut as little as `max_ram` bytes of RAM ask for.

    Args:
        program: all steps; it is left as it is.
        max_ram: bytes for the arena and what is `fixed`, the states.
        fixed: bytes of RAM beside the arena.
        alignment: of buffers in the arena.
        title: name of the model, for the message.
        target: name of the device, for the message.

    Raises:
        BudgetError: no cut is enough; the message has the least that can be had.
    """
    runs = find_runs(program)
    for variant, cut in _tries(program, runs, alignment, max_ram - fixed):
        if variant.arena_bytes + fixed <= max_ram:
            return Tiled(variant, _decision(program, cut, variant, fixed, max_ram))
    tries = _tries(program, runs, alignment, 1 << 62)
    best = min((variant for variant, _ in tries), key=lambda variant: variant.arena_bytes)
    raise RamError(
        _refusal(best, fixed, max_ram, title, target), best.arena_bytes + fixed - max_ram
    )


def _tries(
    program: Program, runs: Sequence[Run], alignment: int, allowed: int
) -> Iterator[tuple[Variant, dict[Run, int]]]:
    """Variants from the one that is not cut to the one where no run can be cut further.

    Each time, all runs with more than `allowed` bytes live are cut, or the widest alone.
    """
    cut = dict.fromkeys(runs, 1)
    while True:
        variant = cut_into(program, cut).finish(None, alignment)
        yield variant, dict(cut)
        open_runs = [run for run in runs if cut[run] < run.pieces()[-1]]
        if not open_runs:
            return
        for run in _widest(live_bytes(variant), open_runs, allowed):
            cut[run] = next(n for n in run.pieces() if n > cut[run])


def find_runs(program: Program) -> list[Run]:
    """The longest runs of two steps and more that can be cut along their rows."""
    steps = [entry.step for entry in program.steps]
    touched = program.touched()
    taken = {n for loop in program.loops for n in range(loop.first, loop.last + 1)}
    found, first = [], 0
    while first < len(steps):
        last = first
        while last < len(steps) and last not in taken and _fits(steps[first : last + 1]):
            last += 1
        if last - first >= 2:
            inner = _inner(program, steps, first, last - 1, touched)
            if inner:
                found.append(Run(first, last - 1, _count(steps[first]), inner))
        first = max(last, first + 1)
    return found


def _count(step: Step) -> int:
    assert step.rows is not None
    return step.rows.count


def _fits(steps: Sequence[Step]) -> bool:
    """Tell whether all can be cut along the same rows, and agree on how long these are."""
    if any(step.rows is None or step.tasks_from is not None for step in steps):
        return False
    if len({_count(step) for step in steps}) != 1:
        return False
    widths: dict[int, set[int]] = {}
    for step in steps:
        assert step.rows is not None
        for argument, nbytes in zip(step.arguments, step.rows.nbytes, strict=True):
            if isinstance(argument, Pointer):
                widths.setdefault(argument.buffer, set()).add(nbytes)
    return all(len(found) == 1 for found in widths.values())


def _inner(
    program: Program, steps: Sequence[Step], first: int, last: int,
    touched: tuple[dict[int, int], dict[int, int]],
) -> frozenset[int]:  # fmt: skip
    watched = {region.buffer for region in program.regions}
    found = set()
    for step in steps[first : last + 1]:
        assert step.rows is not None
        for argument, nbytes in zip(step.arguments, step.rows.nbytes, strict=True):
            if not isinstance(argument, Pointer) or not nbytes or argument.offset:
                continue
            buffer = argument.buffer
            here = first <= touched[0][buffer] and touched[1][buffer] <= last
            if here and program.buffers[buffer].where == "arena" and buffer not in watched:
                found.add(buffer)
    return frozenset(found)


def cut_into(program: Program, cut: dict[Run, int]) -> Program:
    """A copy of `program` in which every run has its number of pieces."""
    made = copy.copy(program)
    made.buffers, made.steps = list(program.buffers), list(program.steps)
    made.loops = list(program.loops)
    for run, pieces in cut.items():
        if pieces == 1:
            continue
        rows = run.rows // pieces
        for buffer in run.inner:
            old = made.buffers[buffer]
            count = old.nbytes // DTYPE_BYTES[old.dtype] // pieces
            made.buffers[buffer] = replace(old, name=f"{old.name}.rows", shape=(count,))
        for number in range(run.first, run.last + 1):
            entry = made.steps[number]
            made.steps[number] = replace(entry, step=_piece(entry.step, rows, run.inner))
        made.loops.append(Loop(run.first, run.last, pieces, "rows"))
    made.loops.sort(key=lambda loop: loop.first)
    return made


def _piece(step: Step, rows: int, inner: frozenset[int]) -> Step:
    assert step.rows is not None
    arguments = [
        replace(argument, stride=nbytes * rows)
        if isinstance(argument, Pointer) and argument.buffer not in inner
        else argument
        for argument, nbytes in zip(step.arguments, step.rows.nbytes, strict=True)
    ]
    if step.rows.argument is not None:
        arguments[step.rows.argument] = rows
    return replace(step, arguments=tuple(arguments), tasks=step.rows.tasks(rows))


def live_bytes(variant: Variant) -> list[int]:
    """Bytes of the arena that hold something, at every step."""
    placed = [b for b in variant.buffers if b.where == "arena" and b.first >= 0]
    found = []
    for step in range(len(variant.steps)):
        spans = [(b.offset, b.offset + b.nbytes) for b in placed if b.first <= step <= b.last]
        total, done = 0, 0
        for begin, end in sorted(spans):  # those that share bytes count once
            total += max(0, end - max(begin, done))
            done = max(done, end)
        found.append(total)
    return found


def _widest(live: Sequence[int], runs: Sequence[Run], allowed: int) -> list[Run]:
    """The runs with a step at which more is live than `allowed`, else the one with the most."""

    def peak(run: Run) -> int:
        return max(live[run.first : run.last + 1])

    return [run for run in runs if peak(run) > allowed] or [max(runs, key=peak)]


def _decision(
    program: Program, cut: dict[Run, int], variant: Variant, fixed: int, max_ram: int
) -> Decision:
    steps = [entry.step for entry in program.steps]
    parts, more = [], 0
    for run, pieces in cut.items():
        if pieces > 1:
            parts.append(f"steps {run.first}-{run.last} in {pieces} pieces of {run.rows // pieces}")
            more += (pieces - 1) * sum(
                _weights(program, step) for step in steps[run.first : run.last + 1]
            )
    return Decision(
        "max-ram", "; ".join(parts) or "nothing is cut",
        f"arena {variant.arena_bytes:,} B and states {fixed:,} B keep {max_ram:,} B; 0 MACs are "
        f"computed twice, {more:,} B of weights are read again",
    )  # fmt: skip


def _weights(program: Program, step: Step) -> int:
    numbers = {a.buffer for a in step.arguments if isinstance(a, Pointer)}
    return sum(program.buffers[n].nbytes for n in numbers if program.buffers[n].where == "weights")


def _refusal(best: Variant, fixed: int, max_ram: int, title: str, target: str) -> str:
    needed = best.arena_bytes + fixed
    live = live_bytes(best)
    step = best.steps[live.index(max(live))]
    place = f" of {step.origin}" if step.origin else ""
    return (
        f"{title} needs {needed:,} B of RAM on {target}, --max-ram allows {max_ram:,} B (over by "
        f"{needed - max_ram:,} B)\n"
        f"  the largest live set is at '{step.label}'{place}, with everything cut that can be\n"
        f"  try: --max-ram {needed}"
    )
