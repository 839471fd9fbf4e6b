"""`--expert-slots`: experts are copied from slow flash to places in RAM before they are read.

    fetch the first active expert
    for each active expert: wait for it; fetch the next one to the next place; compute

The application may replace the copy by DMA: `NAME_fetch` starts one, `NAME_fetch_wait` waits for
all that have been started.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgemoe.errors import OptionError
from edgemoe.plan import Buffer, Decision, Loop, Pointer, Step
from edgemoe.targets.mcu.model import Model, address, counts_of
from edgemoe.targets.program import Program


@dataclass(frozen=True)
class Part:
    """What a trip reads of one weight: `stride` bytes, `place` bytes behind a slot's begin."""

    pointer: Pointer
    place: int


def parts_of(
    steps: Sequence[Step], buffers: Sequence[Buffer], loop: Loop, alignment: int
) -> tuple[list[Part], int]:
    """The weights that a trip reads with a stride, and the bytes of a slot for them."""
    found: dict[Pointer, int] = {}
    total = 0
    for step in steps[loop.first : loop.last + 1]:
        for argument in step.arguments:
            if not isinstance(argument, Pointer) or not argument.stride or argument in found:
                continue
            if buffers[argument.buffer].where == "weights":
                found[argument] = total
                total += -(-argument.stride // alignment) * alignment
    return [Part(pointer, place) for pointer, place in found.items()], total


def with_slots(
    program: Program, count: int, alignment: int, target: str
) -> tuple[Program, list[Decision]]:
    """A copy of `program` whose loops over experts read them from `count` slots.

    Raises:
        OptionError: there is nothing to copy, or no slot for it.
    """
    if count < 1:
        raise OptionError(
            f"--expert-slots {count}: at least one slot is needed, two overlap copies"
        )
    made = copy.copy(program)
    made.buffers, made.loops = list(program.buffers), []
    steps = [entry.step for entry in program.steps]
    decisions = []
    for loop in program.loops:
        parts, nbytes = parts_of(steps, made.buffers, loop, alignment)
        if loop.kind == "experts" and parts:
            number = made.buffer(f"experts.{loop.first}.slots", "uint8", (count * nbytes,))
            loop = replace(loop, slots=count, slot_buffer=number)
            decisions.append(
                Decision(
                    "expert-slots", f"{count} of {nbytes:,} B for steps {loop.first}-{loop.last}",
                    "an expert is copied to RAM before it is read"
                    + (", while the one before is computed" if count > 1 else ""),
                )
            )  # fmt: skip
        made.loops.append(loop)
    if not decisions:
        raise OptionError(
            f"--expert-slots {count}: this program for {target} has no loop over experts; float "
            "kernels read experts where they are"
        )
    return made, decisions


def slot_address(model: Model, loop: Loop, pointer: Pointer, kind: str) -> str:
    """Where a step finds its weight in the slot `here`."""
    parts, nbytes = _parts(model, loop)
    part = next(p for p in parts if p.pointer == pointer)
    return f"AT(const {kind}, {_begin(model, loop) + part.place} + here * {nbytes})"


def fetch_functions(model: Model) -> Iterator[str]:
    """Copies of experts: the default ones, and one function per loop that calls them."""
    loops = [loop for loop in model.variant.loops if loop.slots]
    if not loops:
        return
    prefix = model.names.prefix
    yield "#if defined(__GNUC__)"
    yield "#define EM_WEAK __attribute__((weak))"
    yield "#else"
    yield "#define EM_WEAK"
    yield "#endif"
    yield ""
    yield f"EM_WEAK void {prefix}_fetch(void *to, const void *from, uint32_t nbytes)"
    yield "{"
    yield "    (void)memcpy(to, from, nbytes);"
    yield "}"
    yield ""
    yield f"EM_WEAK void {prefix}_fetch_wait(void)"
    yield "{"
    yield "}"
    yield ""
    yield "static int32_t next_active(const int32_t *counts, int32_t expert, int32_t experts)"
    yield "{"
    yield "    while (expert < experts && counts[expert] <= 0) {"
    yield "        ++expert;"
    yield "    }"
    yield "    return expert;"
    yield "}"
    yield ""
    for loop in loops:
        parts, nbytes = _parts(model, loop)
        yield f"static void fetch_{loop.first}(int32_t trip, int32_t slot)"
        yield "{"
        for part in parts:
            source = address(model, part.pointer, "uint8_t", False, replace(loop, slots=0))
            place = f"{_begin(model, loop) + part.place} + slot * {nbytes}"
            yield f"    {prefix}_fetch(AT(uint8_t, {place}),"
            yield f"        {source}, {part.pointer.stride}u);"
        yield "}"
        yield ""


def before_loop(model: Model, loop: Loop) -> Iterator[str]:
    """The first copy."""
    yield f"int32_t ahead_{loop.first} = next_active({counts_of(model, loop)}, 0, {loop.trips});"
    yield f"int32_t slot_{loop.first} = 0;"
    yield f"if (ahead_{loop.first} < {loop.trips}) {{"
    yield f"    fetch_{loop.first}(ahead_{loop.first}, 0);"
    yield "}"


def before_trip(model: Model, loop: Loop) -> Iterator[str]:
    """Wait for this trip's expert, and with two slots or more fetch the next one meanwhile."""
    yield f"const int32_t here = slot_{loop.first};"
    yield f"{model.names.prefix}_fetch_wait();"
    if loop.slots > 1:
        yield from _fetch_next(model, loop)


def after_trip(model: Model, loop: Loop) -> Iterator[str]:
    """With one slot, the next expert comes when this one has been read."""
    if loop.slots == 1:
        yield from _fetch_next(model, loop)


def _fetch_next(model: Model, loop: Loop) -> Iterator[str]:
    ahead, slot = f"ahead_{loop.first}", f"slot_{loop.first}"
    yield f"{ahead} = next_active({counts_of(model, loop)}, trip + 1, {loop.trips});"
    if loop.slots > 1:
        yield f"{slot} = {slot} + 1 == {loop.slots} ? 0 : {slot} + 1;"
    yield f"if ({ahead} < {loop.trips}) {{"
    yield f"    fetch_{loop.first}({ahead}, {slot});"
    yield "}"


def _parts(model: Model, loop: Loop) -> tuple[list[Part], int]:
    return parts_of(model.variant.steps, model.variant.buffers, loop, model.alignment)


def _begin(model: Model, loop: Loop) -> int:
    assert loop.slot_buffer is not None
    return model.variant.buffers[loop.slot_buffer].offset
