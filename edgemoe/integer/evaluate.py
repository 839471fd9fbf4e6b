"""Run an integer graph node by node: the definition of what its kernels compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts, numpy_eval
from edgemoe.errors import ModelError
from edgemoe.integer.operator_table import DOMAIN, evaluate
from edgemoe.pass_check import onnxruntime_session

Array = NDArray[Any]
Step = Callable[[list[Array | None]], Sequence[Array]]


class Program:
    """The nodes of a graph as Python functions; constants are read once."""

    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self.constants = {
            str(name): value.const_value.numpy()
            for name, value in model.graph.initializers.items()
            if value.const_value is not None
        }
        self.steps: list[tuple[Step, list[str | None], list[str]]] = []
        last: dict[str, int] = {}
        for number, node in enumerate(model.graph):
            inputs = [None if v is None else str(v.name) for v in node.inputs]
            outputs = [str(v.name) for v in node.outputs]
            self.steps.append((self._step(node), inputs, outputs))
            last.update({name: number for name in inputs if name is not None})
        kept = {str(v.name) for v in model.graph.outputs} | set(self.constants)
        self.frees: list[list[str]] = [[] for _ in self.steps]
        for name, number in last.items():
            if name not in kept:
                self.frees[number].append(name)

    def run(
        self, feed: Mapping[str, Array], look: Callable[[str, Array], None] | None = None
    ) -> dict[str, Array]:
        """Outputs by name from inputs by name; `look` sees every tensor that a node makes."""
        values: dict[str, Array] = {**self.constants, **feed}
        for (step, inputs, outputs), frees in zip(self.steps, self.frees, strict=True):
            made = step([None if name is None else values[name] for name in inputs])
            for name, array in zip(outputs, made, strict=True):
                values[name] = array
                if look is not None:
                    look(name, array)
            for name in frees:
                del values[name]
        return {str(v.name): values[str(v.name)] for v in self.model.graph.outputs}

    def _step(self, node: ir.Node) -> Step:
        if node.domain == DOMAIN:
            attributes = {name: int(a.as_int()) for name, a in node.attributes.items()}
            return lambda inputs: evaluate(node.op_type, inputs, attributes)
        opened: list[Any] = []

        def standard(inputs: list[Array | None]) -> Sequence[Array]:
            found = numpy_eval.compute(node, inputs)
            if found is not None:
                return found
            if not opened:
                opened.append(_session(node, inputs, self.model))
            given = {f"i{n}": a for n, a in enumerate(inputs) if a is not None}
            made: list[Array] = opened[0].run(None, given)
            return made

        return standard


def _session(node: ir.Node, inputs: Sequence[Array | None], model: ir.Model) -> Any:
    """One node in onnxruntime; constants are inputs, so that islands need no copies of them."""
    values = [
        None if array is None else ir.Value(
            name=f"i{number}", shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        )
        for number, array in enumerate(inputs)
    ]  # fmt: skip
    copy = ir.node(
        node.op_type, values, domain=node.domain, num_outputs=len(node.outputs),
        attributes={n: a.value for n, a in node.attributes.items()},
        overload=node.overload,
    )  # fmt: skip
    for number, (own, original) in enumerate(zip(copy.outputs, node.outputs, strict=True)):
        own.name, own.type, own.shape = f"o{number}", original.type, original.shape
    graph = ir.Graph(
        [v for v in values if v is not None], list(copy.outputs), nodes=[copy], name="node",
        opset_imports=dict(model.graph.opset_imports),
    )  # fmt: skip
    single = ir.Model(graph, ir_version=model.ir_version)
    if node.domain == graph_facts.DOMAIN:
        from edgemoe.regions import add_bodies

        add_bodies(single)
    try:
        return onnxruntime_session(single)
    except Exception as error:  # onnxruntime raises types of its own
        raise ModelError(
            f"onnxruntime does not run {graph_facts.name_of(node)} ({node.op_type}): {error}"
        ) from error
