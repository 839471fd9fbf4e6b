"""From a fused graph to the program of one variant."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import numpy as np
import onnx_ir as ir

from edgemoe import constant_nodes, graph_facts, shapes
from edgemoe.errors import EdgemoeError, UnsupportedOpError
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.plan import Pointer, Rows
from edgemoe.targets import generic, middle
from edgemoe.targets.culprit import name_the_culprit, unsupported
from edgemoe.targets.kernel_table import KernelSource
from edgemoe.targets.kernels.copy import Copy
from edgemoe.targets.program import Program
from edgemoe.targets.site import Site


@cache
def handlers(source: KernelSource) -> dict[str, ModuleType]:
    """Kernel modules by what they handle: a region kind or a standard operator."""
    found: dict[str, ModuleType] = {}
    for name in source.packages:
        package = importlib.import_module(name)
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{name}.{info.name}")
            if module.__name__ not in source.without:
                found |= dict.fromkeys(getattr(module, "HANDLES", ()), module)
    return found


def function_of(model: ir.Model, node: ir.Node) -> ir.Function | None:
    """The model-local function that a node calls."""
    return model.functions.get((node.domain, node.op_type, node.overload))


def handler_of(
    model: ir.Model, node: ir.Node, source: KernelSource = Program.source
) -> ModuleType | None:
    """The kernel module that computes a node, None if the generic path must."""
    kind = graph_facts.kind_of(node)
    if not kind and node.domain in ("", "ai.onnx"):
        kind = node.op_type
    elif node.domain == DOMAIN:
        kind = f"{DOMAIN}.{node.op_type}"
    module = handlers(source).get(kind)
    if module is None or not _is_static(node):
        return None
    return module if module.accepts(node, function_of(model, node)) else None


def _is_static(node: ir.Node) -> bool:
    """Tell whether all shapes are known; what depends on data is no kernel's."""
    return all(
        value is None or not value.name or graph_facts.shape_of(value) is not None
        for value in (*node.inputs, *node.outputs)
    )


def lower(model: ir.Model, program: Program) -> None:
    """Append all steps of `model` (static shapes, fused) to `program`; it is changed in place.

    Raises:
        UnsupportedOpError: an operator can be lowered neither by our kernels nor by TVM.
    """
    with naming_the_culprit(model, lambda alone: _lower(alone, program.empty())):
        _refuse_unknown_shapes(model)
        inline_regions(model, [program.source])
        _lower(model, program)


@contextmanager
def naming_the_culprit(model: ir.Model, alone: Callable[[ir.Model], None]) -> Iterator[None]:
    """Turn errors into one that names the operator which cannot be lowered `alone` either."""
    try:
        yield
    except AssertionError:
        raise  # a mistake of ours
    except Exception as error:
        if isinstance(error, EdgemoeError) and "of node" in str(error):
            raise
        raise name_the_culprit(model, error, alone) from error


def straight_list(model: ir.Model, sources: Sequence[KernelSource]) -> middle.StraightList:
    """The operations of a fused model; those that kernels of all `sources` compute are opaque.

    Regions that some source has no kernel for are replaced by their bodies.
    """
    _refuse_unknown_shapes(model)
    inline_regions(model, sources)
    return _straight(model, sources)


def _straight(model: ir.Model, sources: Sequence[KernelSource]) -> middle.StraightList:
    return middle.lower_to_list(
        model, lambda node: all(handler_of(model, node, s) is not None for s in sources)
    )


def _refuse_unknown_shapes(model: ir.Model) -> None:
    """Name the first operator whose result is as large as the data say."""
    for node in model.graph:
        if any(o.name and o.uses() and graph_facts.shape_of(o) is None for o in node.outputs):
            raise UnsupportedOpError(
                unsupported(node, "the shape of its result depends on the data, not on the model")
            )


def _lower(model: ir.Model, program: Program) -> None:
    straight = _straight(model, [program.source])
    buffers = Buffers(straight, program)
    for operation in straight.operations:
        append(operation, model, buffers)
    buffers.bind_outputs(range(len(straight.outputs)))


def append(
    operation: middle.Opaque | middle.Generic | middle.View, model: ir.Model, buffers: Buffers
) -> None:
    """Append the steps of one operation to the program of `buffers`."""
    program = buffers.program
    if isinstance(operation, middle.View):
        buffers.share(operation.output, operation.input)
    elif isinstance(operation, middle.Opaque):
        values = middle.dynamic_inputs(operation.node)
        inputs = [buffers.of(number) for number in operation.inputs]
        module = handler_of(model, operation.node, program.source)
        assert module is not None
        into = getattr(module, "WRITES_INTO", None)
        if into is not None and into < len(operation.inputs):
            buffers.share(operation.outputs[0], operation.inputs[into])
        module.lower(
            Site(
                operation.node, function_of(model, operation.node), program,
                dict(zip(values, inputs, strict=True)),
                tuple(buffers.of(number) for number in operation.outputs),
                model.functions,
            )
        )  # fmt: skip
    else:
        _generic(operation, program, buffers)


def inline_regions(model: ir.Model, sources: Sequence[KernelSource] = (Program.source,)) -> None:
    """Replace calls of regions and primitives that some source has no kernel for."""
    from onnx_ir.passes.common import InlinePass, NameFixPass

    while True:
        refused = {
            (node.domain, node.op_type, node.overload)
            for node in model.graph
            if function_of(model, node) is not None
            and any(handler_of(model, node, source) is None for source in sources)
        }
        if not refused:
            return
        InlinePass(criteria=_one_of(refused))(model)
        NameFixPass()(model)  # values inside functions have names of their own, `val_0` for one
        constant_nodes.lift(model.graph)  # kernels take what is constant from initialisers
        shapes.infer(model)


def _one_of(identifiers: set[tuple[str, str, str]]) -> Callable[[ir.Function], bool]:
    return lambda function: function.identifier() in identifiers


class Buffers:
    """The program's buffer of every value of a straight list.

    `fetch` may give the buffer of a value that was computed elsewhere.
    """

    def __init__(
        self, straight: middle.StraightList, program: Program,
        fetch: Callable[[int], int | None] = lambda number: None,
    ) -> None:  # fmt: skip
        self.straight, self.program, self.fetch = straight, program, fetch
        self.known: dict[int, int] = {}

    def of(self, number: int) -> int:
        """The buffer of a value, made when it is first asked for."""
        if number in self.known:
            return self.known[number]
        fetched = self.fetch(number)
        if fetched is not None:
            self.known[number] = fetched
        else:
            value = self.straight.values[number]
            if value.graph_input is not None:
                buffer = self.program.buffer(
                    value.name, value.dtype, value.shape, where="input", index=value.graph_input
                )
            elif value.weight is not None or value.constant is not None:
                array = value.constant
                if value.weight is not None:
                    array = graph_facts.array_of(value.weight)
                assert array is not None
                buffer = self.program.constant(value.name, np.ascontiguousarray(array))
            else:
                buffer = self.program.buffer(value.name, value.dtype, value.shape)
            self.known[number] = buffer
        return self.known[number]

    def share(self, output: int, source: int) -> None:
        """Let a value be the memory of another one."""
        self.known[output] = self.of(source)

    def bind_outputs(self, indices: Iterable[int]) -> None:
        """Let results be written where the caller wants them; copy what cannot be."""
        for index in indices:
            buffer = self.of(self.straight.outputs[index])
            place = self.program.buffers[buffer]
            if place.where != "arena":
                target = self.program.buffer(
                    f"output_{index}", place.dtype, place.shape, where="output", index=index
                )
                Copy.append(self.program, buffer, target, place.nbytes)
                continue
            self.program.move(buffer, where="output", index=index)


def _rows(call: generic.NestCall, numbers: list[int], program: Program) -> Rows | None:
    """The tasks of a step that computes each element from those in its own place."""
    if len(call.written) != 1 or set(call.written) | set(call.in_place) != set(range(len(numbers))):
        return None
    count = call.nest.tasks
    sizes = [program.buffers[number].nbytes for number in numbers]
    return (
        None
        if any(size % count for size in sizes)
        else Rows(count, tuple(size // count for size in sizes))
    )


def _generic(operation: middle.Generic, program: Program, buffers: Buffers) -> None:
    split = generic.split(operation.function, elements=program.one_task_per_element)
    parameters = [buffers.of(number) for number in (*operation.inputs, *operation.outputs)]
    parameters += [
        program.buffer(f"{operation.name}.{i}", dtype, shape)
        for i, (shape, dtype) in enumerate(split.temporaries)
    ]
    for call in split.calls:
        numbers = [parameters[i] for i in call.buffers]
        written = [numbers[i] for i in call.written]
        program.step(
            call.nest, "generic", [Pointer(number) for number in numbers],
            in_place=[(w, numbers[i]) for w in written for i in call.in_place],
            tasks=call.nest.tasks, label=operation.name.replace("_", " "), macs=call.macs,
            nbytes=sum(program.buffers[number].nbytes for number in set(numbers)),
            reason="default schedule", rows=_rows(call, numbers, program),
        )  # fmt: skip
