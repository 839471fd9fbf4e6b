"""The program of one variant while it is being built: buffers, steps, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edgemoe.bfloat16 import to_bfloat16
from edgemoe.memory import ALIGNMENT, Lifetime, lower_bound, plan_arena
from edgemoe.plan import (
    DTYPE_BYTES,
    Argument,
    Buffer,
    Loop,
    Pointer,
    Region,
    Step,
    Variant,
    WeightSection,
)
from edgemoe.precision import LEAST_CONSTANT, TABLE, Precision, Unit
from edgemoe.targets.kernel_table import KernelSource, KernelSpec, KernelTable
from edgemoe.targets.tuning.tunings import UNTUNED, Tunings
from edgemoe.targets.weight_table import WeightTable
from edgemoe.weight_format import F32, WeightFormat

Array = NDArray[Any]


@dataclass
class _Step:
    step: Step
    in_place: tuple[tuple[int, int], ...]


@dataclass
class Program:
    """One variant; `precision` is how weights are stored, `tunings` how products are cut.

    `core` is what integer programs multiply with (see `kernels/integer/cores`), `turns_rows` says
    that what reads rotary embeddings may compute them (`kernels/turned_rows`). `quantised` are
    rows that have been rounded to int8 for one product, and weights that have been unpacked, for
    the next one, `widened` constants that are stored in 16 bits. `around` is the program whose
    blocks this one computes, if any (see `kernels/blocks`): this one runs many times in a call, so
    what depends on weights alone is computed there.
    """

    source: ClassVar[KernelSource] = KernelSource(
        ("edgemoe.targets.kernels", "edgemoe.targets.kernels.integer")
    )
    one_task_per_element: ClassVar[bool] = False  # of a generic kernel; else as suits one thread

    kernels: KernelTable
    weights: WeightTable
    precision: Precision = field(default_factory=Precision)
    tunings: Tunings = UNTUNED
    core: str = ""
    turns_rows: bool = False
    buffers: list[Buffer] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    quantised: dict[tuple[object, ...], Any] = field(default_factory=dict)
    widened: dict[tuple[object, ...], int] = field(default_factory=dict)
    around: Program | None = None
    _experts: tuple[int, int, int] | None = None

    def empty(self) -> Program:
        """A program of the same kind with nothing in it."""
        return Program(KernelTable(), WeightTable())

    @contextmanager
    def experts_loop(self, experts: int, counts: int, rows: int, most: int) -> Iterator[None]:
        """Steps that are appended meanwhile run once per expert that has rows.

        They are appended as if the expert had all `rows` rows; each runs as many of its tasks as
        belong to `counts`[expert] of them, at most `most`. Pointers move on by their `stride`.
        """
        first, self._experts = len(self.steps), (counts, rows, most)
        yield
        self._experts = None
        self.loops.append(Loop(first, len(self.steps) - 1, experts, "experts", counts))

    def rows_held(self, rows: int) -> int:
        """How many of a tensor's rows there can be at once."""
        return rows if self._experts is None else self._experts[2]

    def from_around(self, buffer: int) -> int:
        """A buffer of this program for one of the program around; itself, where there is none."""
        if self.around is None:
            return buffer
        known = self.around.buffers[buffer]
        return self.buffer(known.name, known.dtype, known.shape, where="around", index=buffer)

    def buffer(self, name: str, dtype: str, shape: Sequence[int], **where: Any) -> int:
        """A new buffer, in the arena unless `where` says otherwise."""
        if dtype not in DTYPE_BYTES:
            raise AssertionError(f"buffer {name}: dtype {dtype} has no size")
        place = {"where": "arena", **where}
        self.buffers.append(Buffer(name, dtype, tuple(int(d) for d in shape), **place))
        return len(self.buffers) - 1

    def move(self, buffer: int, **where: Any) -> None:
        """Put a buffer somewhere else than in the arena."""
        self.buffers[buffer] = replace(self.buffers[buffer], **where)

    def constant(self, name: str, array: Array, role: str = "constant") -> int:
        """A buffer in the weights that holds `array` as it is."""
        dtype = str(array.dtype)
        digest = self.weights.digest(array, lambda: array)
        if dtype == "float32" and array.size >= LEAST_CONSTANT and self.around is None:
            given = self.precision.choose(
                Unit((TABLE + name,), "constant", array.size, 1, (False,))
            )
            if given != F32:
                return self._narrow(name, array, given, digest)
        section = WeightSection(name, 0, array.nbytes, role, None, dtype)
        offset = self.weights.add(("plain", digest), [(section, lambda: array)])
        return self.buffer(name, dtype, array.shape, where="weights", offset=offset)

    def _narrow(self, name: str, array: Array, given: WeightFormat, digest: str) -> int:
        """A buffer in the arena that a step fills from a constant of 16 bits."""
        from edgemoe.targets.kernels.widen import Widen

        key = ("narrow", given, digest)
        if key not in self.widened:

            def stored() -> Array:
                flat = array.reshape(-1)
                is_half = given.kind == "float16"
                return flat.astype(np.float16).view(np.uint16) if is_half else to_bfloat16(flat)

            section = WeightSection(name, 0, 2 * array.size, "constant", None, given.stored)
            offset = self.weights.add(key, [(section, stored)])
            source = self.buffer(name, "uint16", array.shape, where="weights", offset=offset)
            target = self.buffer(f"{name}.wide", "float32", array.shape)
            Widen.append(self, source, target, array.size, given.kind)
            self.widened[key] = target
        return self.widened[key]

    def packed(
        self,
        name: str,
        key: tuple[object, ...],
        parts: Sequence[tuple[WeightSection, Callable[[], Array]]],
    ) -> int:
        """A buffer in the weights made of packed sections."""
        offset = self.weights.add(key, parts)
        total = sum(section.nbytes for section, _ in parts)
        return self.buffer(name, "int8", (total,), where="weights", offset=offset)

    def step(
        self,
        spec: KernelSpec,
        template: str,
        arguments: Sequence[Argument],
        *,
        in_place: Sequence[tuple[int, int]] = (),
        **facts: Any,
    ) -> int:
        """Append a call; integer arguments that are buffers are given as `Pointer`.

        `in_place` are pairs (result, operand) of buffers that may share their bytes.
        """
        name = self.kernels.name_of(spec, template)
        if len(arguments) != len(spec.parameters):
            raise AssertionError(f"{name}: {len(arguments)} arguments for {spec.parameters}")
        if self._experts is not None:
            counts, rows, _ = self._experts
            each, rest = divmod(facts.get("tasks", 1), rows)
            if rest or "tasks_from" in facts:
                raise AssertionError(f"{name}: its tasks do not belong to rows")
            facts = {**facts, "tasks": each, "tasks_from": counts}
        self.steps.append(_Step(Step(name, tuple(arguments), **facts), tuple(in_place)))
        return len(self.steps) - 1

    @contextmanager
    def loop(
        self, kind: Literal["rows", "experts"], trips: int, counts: int | None = None
    ) -> Iterator[None]:
        """Steps that are appended inside of the block run `trips` times, see `plan.Loop`."""
        first = len(self.steps)
        yield
        if len(self.steps) > first:
            self.loops.append(Loop(first, len(self.steps) - 1, trips, kind, counts))

    def finish(self, tokens: int | None, alignment: int = ALIGNMENT) -> Variant:
        """Place every temporary, at multiples of `alignment` bytes, and freeze the program."""
        touched = self.touched()
        first, last = self._over_loops(*touched)
        roots = self._share(*(touched if self.cut_by_rows else (first, last)))
        members = [i for i, b in enumerate(self.buffers) if b.where == "arena" and i in first]
        groups: dict[int, list[int]] = {}
        for i in members:
            groups.setdefault(_root(roots, i), []).append(i)
        lifetimes = {
            root: Lifetime(
                max(self.buffers[i].nbytes for i in group),
                min(first[i] for i in group),
                max(last[i] for i in group),
            )
            for root, group in groups.items()
        }
        arena = plan_arena(list(lifetimes.values()), alignment)
        offsets = dict(zip(lifetimes, arena.offsets, strict=True))
        buffers = []
        for i, buffer in enumerate(self.buffers):
            changes: dict[str, Any] = {"first": first.get(i, -1), "last": last.get(i, -1)}
            if buffer.where == "arena":
                changes["offset"] = offsets[_root(roots, i)] if i in first else 0
                changes["shares"] = roots.get(i)
            buffers.append(replace(buffer, **changes))
        _check_sharing(buffers, roots, touched)
        return Variant(
            tokens,
            tuple(buffers),
            tuple(s.step for s in self.steps),
            tuple(self.regions),
            arena.nbytes,
            lower_bound(list(lifetimes.values())),
            tuple(self.loops),
        )

    def touched(self) -> tuple[dict[int, int], dict[int, int]]:
        """The first and the last step that touch each buffer."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for number, entry in enumerate(self.steps):
            touched = [a.buffer for a in entry.step.arguments if isinstance(a, Pointer)]
            if entry.step.tasks_from is not None:
                touched.append(entry.step.tasks_from)
            for buffer in touched:
                first.setdefault(buffer, number)
                last[buffer] = number
        for loop in self.loops:
            for own in (loop.counts, loop.slot_buffer):
                if own is not None:
                    first[own] = min(first.get(own, loop.first), loop.first)
                    last[own] = max(last.get(own, loop.last), loop.last)
        for region in self.regions:  # the profiler reads the routing after its step
            last[region.buffer] = max(last.get(region.buffer, 0), region.routed_at)
        return first, last

    def _over_loops(
        self, first: Mapping[int, int], last: Mapping[int, int]
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Lifetimes in which what a loop touches lives as long as the loop.

        What holds the rows of one trip alone is made anew in every trip.
        """
        first, last = dict(first), dict(last)
        for loop in self.loops:
            for buffer in list(first):
                if first[buffer] > loop.last or last[buffer] < loop.first:
                    continue
                inside = loop.first <= first[buffer] and last[buffer] <= loop.last
                again = loop.kind == "experts" or self._of_one_trip(buffer, loop)
                if not (inside and again):
                    first[buffer] = min(first[buffer], loop.first)
                    last[buffer] = max(last[buffer], loop.last)
        return first, last

    def _of_one_trip(self, buffer: int, loop: Loop) -> bool:
        return all(
            argument.stride == 0
            for entry in self.steps[loop.first : loop.last + 1]
            for argument in entry.step.arguments
            if isinstance(argument, Pointer) and argument.buffer == buffer
        )

    @property
    def cut_by_rows(self) -> bool:
        """Tell whether all loops are over rows: a trip touches its own rows of results alone."""
        return all(loop.kind == "rows" for loop in self.loops)

    def _share(self, first: Mapping[int, int], last: Mapping[int, int]) -> dict[int, int]:
        """Let results take the place of operands that die in the same step."""
        roots: dict[int, int] = {}
        for number, entry in enumerate(self.steps):
            for result, operand in entry.in_place:
                one, other = self.buffers[result], self.buffers[operand]
                if (
                    one.where == other.where == "arena"
                    and result != operand
                    and first[result] == number == last[operand]
                    and result not in roots
                    and one.nbytes <= other.nbytes
                ):
                    roots[result] = operand
                    break
        return roots


def _root(roots: Mapping[int, int], buffer: int) -> int:
    while buffer in roots:
        buffer = roots[buffer]
    return buffer


def _check_sharing(
    buffers: Sequence[Buffer], roots: Mapping[int, int], touched: tuple[dict[int, int], ...]
) -> None:
    """Live temporaries share bytes only where one takes the place of the other in one step.

    Within a loop, one that takes the place of another does so row by row: there the steps that
    touch the two decide.
    """
    first, last = touched
    numbers = [i for i, b in enumerate(buffers) if b.where == "arena" and b.first >= 0]
    for position, i in enumerate(numbers):
        for j in numbers[:position]:
            one, other = buffers[i], buffers[j]
            if _root(roots, i) == _root(roots, j):
                one = replace(one, first=first[i], last=last[i])
                other = replace(other, first=first[j], last=last[j])
            apart = (
                one.offset + one.nbytes <= other.offset or other.offset + other.nbytes <= one.offset
            )
            handed_over = one.first == other.last or other.first == one.last
            alive = one.first <= other.last and other.first <= one.last
            if not apart and alive and not handed_over:
                raise AssertionError(f"{other.name} and {one.name} share bytes while both are live")
