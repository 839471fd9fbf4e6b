"""What the C files of one artifact are generated from, and where its buffers are in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgemoe.plan import Buffer, Loop, Plan, Pointer, TensorInfo, Variant
from edgemoe.targets.mcu.arrays import C_TYPES, WeightArray
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
    objects: tuple[str, ...] = ()  # in the place of the kernels' C source

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


def address(model: Model, pointer: Pointer, kind: str, written: bool, loop: Loop | None) -> str:
    """A pointer to `kind`; `const` where the kernel only reads."""
    buffer = model.variant.buffers[pointer.buffer]
    stride = f" + trip * {pointer.stride}" if pointer.stride else ""
    if pointer.stride and loop is None:
        raise AssertionError(f"buffer {buffer.name} has a stride outside of a loop")
    const = "" if written else "const "
    if buffer.where == "arena":
        return f"AT({const}{kind}, {buffer.offset + pointer.offset}{stride})"
    base, own, offset = base_of(model, buffer)
    offset += pointer.offset
    if not offset and not stride and own == kind:
        return base
    place = (
        base
        if not offset and not stride
        else (f"&(({const}uint8_t *)({const}void *){base})[{offset}{stride}]")
    )
    return f"({const}{kind} *)({const}void *){place}"


def base_of(model: Model, buffer: Buffer) -> tuple[str, str, int]:
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


def counts_of(model: Model, loop: Loop) -> str:
    """The array of tokens per trip, as an expression."""
    assert loop.counts is not None
    return address(model, Pointer(loop.counts), "int32_t", False, None)
