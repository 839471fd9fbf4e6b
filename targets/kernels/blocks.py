"""`blocks`: a run of steps, block by block, so that what lies between them stays in the cache.

for b in blocks: for step in steps: step(parameters of block b)

A block is one matrix [S, C] of a batch (a sample, or one channel of a forecast); blocks do not
depend on each other. The steps are lowered for one block, as a program of its own, and this kernel
calls them: whatever makes a step faster makes the block faster, whatever format its weights have.
One task is a range of blocks with its own scratch memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Variant
from edgemoe.targets.kernel_table import uses_of
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.one_block import one_block
from edgemoe.targets.program import Program
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

MAX_TASKS = 32
"""Most tasks, each of which has scratch memory: more share more evenly, and take more memory."""


@dataclass(frozen=True)
class Place:
    """An argument of a step: bytes from pointer number `pointer` on, plus `stride` per block."""

    pointer: int
    offset: int = 0
    stride: int = 0


@dataclass(frozen=True)
class Call:
    """One step of a block: a kernel by name, its arguments, its number of tasks."""

    kernel: str
    arguments: tuple[Place | int, ...]
    tasks: int
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Blocks:
    """The kernel: pointer 0 is the scratch memory, of `scratch_bytes` per task."""

    calls: tuple[Call, ...]
    pointers: int
    scratch_bytes: int

    @property
    def uses(self) -> tuple[str, ...]:
        """The dot products that the steps use."""
        return tuple(sorted({dot for call in self.calls for dot in call.uses}))

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (scratch, tensors..., blocks, tasks)."""
        return ("int8_t*",) * self.pointers + ("int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = [f"p{i}" for i in range(self.pointers)]
            buffers, (blocks, tasks, begin, end) = tiles.parameters(
                dict.fromkeys(names, "int8"), ("blocks", "tasks")
            )
            each = tiles.local(tirx.truncdiv(blocks, tasks))
            extra = tiles.local(blocks - each * tasks)

            def first(task: Expr) -> Expr:
                return task * each + tirx.min(task, extra)

            # Tasks of one range run one after another: the scratch of the first serves all.
            scratch = tiles.local(begin * self.scratch_bytes)
            with T.serial(first(begin), first(end)) as block:
                for call in self.calls:
                    arguments: list[Expr | int] = []
                    for argument in call.arguments:
                        if isinstance(argument, int):
                            arguments.append(tirx.const(argument, "int32"))
                            continue
                        at = block * argument.stride + argument.offset
                        at = scratch + argument.offset if argument.pointer == 0 else at
                        arguments.append(T.address_of(buffers[names[argument.pointer]][at]))
                    T.evaluate(
                        T.call_extern(
                            "void", isa.symbol_of(call.kernel, call.uses), *arguments,
                            tirx.const(0, "int32"), tirx.const(call.tasks, "int32"),
                        )
                    )  # fmt: skip
        return tiles.Built(builder.get())


HANDLES = ("Blocks",)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Every region that the pass outlines can be computed."""
    del node, function
    return True


def lower(site: Site) -> None:
    """Lower the steps for one block, and append the loop over blocks to the program."""
    assert site.function is not None
    from edgemoe.targets.lowering import lower as lower_program  # it asks this module for kernels

    program = site.program
    shape = shape_of(site.node.outputs[0])
    lead = len(shape) - 2
    blocks = size_of(shape[:lead])
    single = one_block(site.node, site.function, site.functions, lead)
    inner = Program(program.kernels, program.weights, program.precision, around=program)
    lower_program(single, inner)
    variant = inner.finish(None)
    tasks = min(blocks, MAX_TASKS)
    scratch_bytes = max(64, -(-variant.arena_bytes // 64) * 64)
    scratch = program.buffer(f"{site.node.name}.scratch", "int8", (tasks * scratch_bytes,))
    found = _Arguments(variant, [scratch], site)
    dots = {name: uses_of(spec) for spec, name in program.kernels.names.items()}
    calls = tuple(
        Call(
            step.kernel, tuple(found.place(a) for a in step.arguments), step.tasks,
            dots[step.kernel],
        )
        for step in variant.steps
    )  # fmt: skip
    spec = Blocks(calls, len(found.pointers), scratch_bytes)
    names = list(dict.fromkeys(step.label.split(" ")[0] for step in variant.steps))
    program.step(
        spec, "blocks", [*map(Pointer, found.pointers), blocks, tasks], tasks=tasks,
        macs=blocks * sum(step.macs for step in variant.steps),
        nbytes=blocks * sum(step.nbytes for step in variant.steps),
        label=f"{blocks} blocks of {len(calls)} steps: {', '.join(names)}",
        origin=site.origin, nodes=site.nodes,
        reason=f"what lies between the steps, {variant.arena_bytes} B, stays in the cache",
    )  # fmt: skip


class _Arguments:
    """Turns buffers of the program of one block into pointers of the kernel."""

    def __init__(self, variant: Variant, pointers: list[int], site: Site) -> None:
        self.variant, self.pointers, self.site = variant, pointers, site
        self.known: dict[object, int] = {}
        self.outside = [
            *(site.buffer(v) for v in _activations(site)), *site.outputs
        ]  # fmt: skip

    def place(self, argument: Pointer | int) -> Place | int:
        if isinstance(argument, int):
            return argument
        buffer = self.variant.buffers[argument.buffer]
        if buffer.where == "arena":
            return Place(0, buffer.offset + argument.offset)
        if buffer.where == "weights":
            key: object = buffer.offset
            if key not in self.known:
                self.known[key] = self._add(
                    self.site.program.buffer(
                        buffer.name, buffer.dtype, buffer.shape, where="weights",
                        offset=buffer.offset,
                    )
                )  # fmt: skip
            return Place(self.known[key], argument.offset)
        if buffer.where == "around":
            key = ("around", buffer.index)
            if key not in self.known:
                self.known[key] = self._add(buffer.index)
            return Place(self.known[key], argument.offset)
        count = len(self.outside) - len(self.site.outputs)
        number = buffer.index + (count if buffer.where == "output" else 0)
        if ("outside", number) not in self.known:
            self.known["outside", number] = self._add(self.outside[number])
        return Place(self.known["outside", number], argument.offset, buffer.nbytes)

    def _add(self, buffer: int) -> int:
        self.pointers.append(buffer)
        return len(self.pointers) - 1


def _activations(site: Site) -> list[ir.Value]:
    """The inputs of the region that are computed, in order; each once."""
    found = [v for v in site.node.inputs if v is not None and not graph_facts.is_constant(v)]
    return list(dict.fromkeys(found))
