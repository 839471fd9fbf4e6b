"""`NAME.c`: the plan as straight C code over one static arena."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgemoe.plan import Argument, Buffer, Kernel, Loop, Plan, Pointer, Step, TensorInfo, Variant
from edgemoe.targets.mcu.arrays import C_TYPES, WeightArray
from edgemoe.targets.mcu.c_kernels import CORE
from edgemoe.targets.mcu.c_text import Function
from edgemoe.targets.mcu.names import Names


@dataclass(frozen=True)
class Model:
    """What the files of one artifact are generated from; the plan has one variant."""

    plan: Plan
    names: Names
    arrays: Sequence[WeightArray]
    functions: Mapping[str, Function]
    alignment: int

    @property
    def variant(self) -> Variant:
        """The only variant."""
        (variant,) = self.plan.variants
        return variant

    @property
    def inputs(self) -> list[TensorInfo]:
        """Inputs that the caller gives."""
        return [x for x in self.plan.inputs if x.state_output is None]

    @property
    def states(self) -> list[TensorInfo]:
        """Inputs that stay in static memory from step to step."""
        return [x for x in self.plan.inputs if x.state_output is not None]

    @property
    def outputs(self) -> list[TensorInfo]:
        """Outputs that the caller gets."""
        kept = {x.state_output for x in self.plan.inputs}
        return [x for x in self.plan.outputs if x.name not in kept]

    def in_place(self, state: TensorInfo) -> bool:
        """Tell whether a step may write the new state over the old one."""
        return state.name in self.plan.facts.get("in_place_states", ())

    def parameters(self) -> str:
        """The parameters of `NAME_run`."""
        texts = [f"const {C_TYPES[x.dtype]} *{self.names.tensors[x.name]}" for x in self.inputs]
        texts += [f"{C_TYPES[x.dtype]} *{self.names.tensors[x.name]}" for x in self.outputs]
        return ", ".join(texts) or "void"

    def arguments(self) -> str:
        """The same as arguments of a call."""
        return ", ".join(self.names.tensors[x.name] for x in (*self.inputs, *self.outputs))

    def size(self, info: TensorInfo) -> str:
        """The macro with the number of elements of a tensor."""
        return f"{self.names.macro_of(info)}_SIZE"


def program(model: Model) -> str:
    """The text of `NAME.c`."""
    prefix, macro = model.names.prefix, model.names.macro
    return "\n".join(
        [
            f"/* {prefix}.c - model '{comment(model.plan.name)}' for {model.plan.target}, generated "
            "by edgemoe from plan.json. */",
            f'#include "{prefix}.h"',
            f'#include "{prefix}_internal.h"',
            f'#include "{CORE}"',
            "#include <string.h>",
            "",
            f"#if {macro}_ARENA_SIZE < {macro}_ARENA_BYTES",
            f'#error "{macro}_ARENA_SIZE is smaller than {macro}_ARENA_BYTES: the model does not '
            'fit"',
            "#endif",
            "",
            "/* Called with the number of a step when it is done; a profiler defines it. */",
            f"#ifndef {macro}_AFTER_STEP",
            f"#define {macro}_AFTER_STEP(step) ((void)0)",
            "#endif",
            "",
            *_memory(model),
            *_run(model),
            "",
        ]
    )


def _memory(model: Model) -> Iterator[str]:
    macro = model.names.macro
    if model.variant.arena_bytes:
        yield f"static uint8_t arena[{macro}_ARENA_SIZE]"
        yield f"    EM_ALIGNED({model.alignment}) {macro}_ARENA_SECTION;"
        yield "#define AT(type, offset) ((type *)(void *)&arena[offset])"
        yield ""
    for state in model.states:
        name, kind = model.names.tensors[state.name], C_TYPES[state.dtype]
        yield f"static {kind} state_{name}[{model.size(state)}] EM_ALIGNED({model.alignment});"
        if not model.in_place(state):
            yield f"static {kind} next_{name}[{model.size(state)}] EM_ALIGNED({model.alignment});"
    if model.states:
        yield ""


def _run(model: Model) -> Iterator[str]:
    prefix = model.names.prefix
    if model.states:
        yield f"void {prefix}_reset(void)"
        yield "{"
        for state in model.states:
            name = f"state_{model.names.tensors[state.name]}"
            yield f"    (void)memset({name}, 0, sizeof {name});"
        yield "}"
        yield ""
    name = f"{prefix}_run_step" if model.states else f"{prefix}_run"
    yield f"void {name}({model.parameters()})"
    yield "{"
    yield from _steps(model)
    for state in model.states:
        if not model.in_place(state):
            own = model.names.tensors[state.name]
            yield f"    (void)memcpy(state_{own}, next_{own}, sizeof state_{own});"
    yield "}"
    if model.states:
        yield ""
        yield f"void {prefix}_run({model.parameters()})"
        yield "{"
        yield f"    {prefix}_reset();"
        yield f"    {prefix}_run_step({model.arguments()});"
        yield "}"


def _steps(model: Model) -> Iterator[str]:
    kernels = {kernel.name: kernel for kernel in model.plan.kernels}
    variant = model.variant
    for number, step in enumerate(variant.steps):
        loop = variant.loop_at(number)
        if loop is not None and number == loop.first:
            yield from _open(model, loop)
        indent = " " * (4 if loop is None else 8 if loop.counts is None else 12)
        origin = f" ({comment(step.origin)})" if step.origin else ""
        yield f"{indent}/* {number}: {comment(step.label or step.kernel)}{origin} */"
        yield from _call(model, step, kernels[step.kernel], loop, indent)
        yield f"{indent}{model.names.macro}_AFTER_STEP({number});"
        if loop is not None and number == loop.last:
            if loop.counts is not None:
                yield "        }"
            yield "    }"


def _open(model: Model, loop: Loop) -> Iterator[str]:
    yield f"    for (int32_t trip = 0; trip < {loop.trips}; ++trip) {{"
    if loop.counts is not None:
        counts = _address(model, Pointer(loop.counts), "int32_t", False, None)
        yield f"        const int32_t count = ({counts})[trip];"
        yield "        if (count > 0) {"


def _call(
    model: Model, step: Step, kernel: Kernel, loop: Loop | None, indent: str
) -> Iterator[str]:
    symbol = f"{model.names.prefix}_{kernel.name}"
    declared = model.functions[symbol].parameters
    arguments = [
        _argument(model, argument, parameter.rstrip("*"), there.written, loop)
        for argument, parameter, there in zip(
            step.arguments, kernel.parameters, declared, strict=False
        )
    ]
    arguments += ["0", _tasks(model, step, loop)]
    lines = textwrap.wrap(
        f"{symbol}({', '.join(arguments)});", 100 - len(indent), break_long_words=False,
        break_on_hyphens=False, subsequent_indent="    ",
    )  # fmt: skip
    yield from (indent + line for line in lines)


def _tasks(model: Model, step: Step, loop: Loop | None) -> str:
    if step.tasks_from is None:
        return str(step.tasks)
    if loop is not None and loop.counts == step.tasks_from:
        count = "count"
    else:
        count = f"*{_address(model, Pointer(step.tasks_from), 'int32_t', False, loop)}"
    return count if step.tasks == 1 else f"{step.tasks} * {count}"


def _argument(model: Model, argument: Argument, kind: str, written: bool, loop: Loop | None) -> str:
    if isinstance(argument, int):
        return str(argument)
    return _address(model, argument, kind, written, loop)


def _address(model: Model, pointer: Pointer, kind: str, written: bool, loop: Loop | None) -> str:
    """A pointer to `kind`; `const` where the kernel only reads."""
    buffer = model.variant.buffers[pointer.buffer]
    stride = f" + trip * {pointer.stride}" if pointer.stride else ""
    if pointer.stride and loop is None:
        raise AssertionError(f"buffer {buffer.name} has a stride outside of a loop")
    const = "" if written else "const "
    if buffer.where == "arena":
        return f"AT({const}{kind}, {buffer.offset + pointer.offset}{stride})"
    base, own, offset = _base(model, buffer)
    offset += pointer.offset
    if not offset and not stride and own == kind:
        return base
    place = (
        base
        if not offset and not stride
        else (f"&(({const}uint8_t *)({const}void *){base})[{offset}{stride}]")
    )
    return f"({const}{kind} *)({const}void *){place}"


def _base(model: Model, buffer: Buffer) -> tuple[str, str, int]:
    """Name, element type and first byte of the array that a buffer lies in."""
    plan, names = model.plan, model.names
    if buffer.where == "weights":
        array = next(x for x in model.arrays if x.start <= buffer.offset < x.start + x.nbytes)
        return f"{names.prefix}_{array.name}", array.type, buffer.offset - array.start
    info = (plan.inputs if buffer.where == "input" else plan.outputs)[buffer.index]
    name, kind = names.tensors[info.name], C_TYPES[info.dtype]
    if buffer.where == "input":
        return name if info.state_output is None else f"state_{name}", kind, 0
    state = next((x for x in plan.inputs if x.state_output == info.name), None)
    if state is None:
        return name, kind, 0
    place = "state" if model.in_place(state) else "next"
    return f"{place}_{names.tensors[state.name]}", kind, 0


def comment(text: str) -> str:
    """Make text safe inside a C comment."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("\n", " ")
