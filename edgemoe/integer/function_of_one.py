"""Which part of a graph is a function of one number, and its values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.integer.ranges import is_float
from edgemoe.pass_check import onnxruntime_session

if TYPE_CHECKING:
    from edgemoe.integer.converter import Converter

Array = NDArray[Any]

MOST_NODES = 64
"""A function is followed up through so many operators."""


@dataclass(frozen=True)
class Function:
    """`leaf` is the number that the result depends on; calling it gives f of float32 [n]."""

    leaf: ir.Value
    values: Callable[[Array], Array]

    def __call__(self, numbers: Array) -> Array:
        """float32 [n] -> float32 [n]."""
        with np.errstate(all="ignore"):
            return self.values(np.asarray(numbers, np.float32))


def function_of(value: ir.Value, c: Converter) -> Function | str | None:
    """Follow elementwise operators up to the deepest single value that all depends on."""
    if not _expands(value) or not is_float(value):
        return None
    known: Function | str | None = c.facts.functions.get(value)
    if known is not None:
        return known
    place = _places(value)
    front, inside = {value}, list[ir.Node]()
    best: tuple[ir.Value, int] | None = None
    while len(inside) < MOST_NODES:
        last = max(front, key=lambda v: place.get(v.producer(), -1))
        node = last.producer()
        if node is None or (inside and not _expands(last)):
            break
        inside.append(node)
        front.discard(last)
        front |= {v for v in node.inputs if v is not None and not _scalar(v)}
        if len(front) == 1:
            leaf = next(iter(front))
            if graph_facts.shape_of(leaf) == graph_facts.shape_of(value) and is_float(leaf):
                best = (leaf, len(inside))
    if best is None:
        found: Function | str = "it is no function of one number: it reads " + ", ".join(
            sorted(str(v.name) for v in front)
        )
    else:
        found = Function(best[0], _evaluator(value, best[0], inside[: best[1]], c.facts.model))
    c.facts.functions[value] = found
    return found


def _expands(value: ir.Value) -> bool:
    """Tell whether to look through what makes a value: not where a product wants its bias."""
    from edgemoe.integer.rules.linear import Product, product_of

    node = value.producer()
    if not graph_facts.is_op(node, *graph_facts.ELEMENTWISE) or len(value.producer().outputs) > 1:  # type: ignore[union-attr]
        return False
    return not isinstance(product_of(value), Product)


def _scalar(value: ir.Value) -> bool:
    return graph_facts.is_constant(value) and graph_facts.size_of(value) == 1


def _places(value: ir.Value) -> dict[ir.Node | None, int]:
    node = value.producer()
    assert node is not None and node.graph is not None
    return {each: number for number, each in enumerate(node.graph)}


def _evaluator(
    value: ir.Value, leaf: ir.Value, nodes: list[ir.Node], model: ir.Model
) -> Callable[[Array], Array]:
    """The nodes on a vector in onnxruntime; opened when it is first needed."""
    opened: list[Any] = []

    def run(numbers: Array) -> Array:
        if not opened:
            opened.append(onnxruntime_session(_model(value, leaf, nodes, model)))
        dtype = leaf.dtype.numpy() if leaf.dtype is not None else np.float32
        found = opened[0].run(None, {"x": numbers.astype(dtype)})[0]
        return np.broadcast_to(np.asarray(found, np.float32).reshape(-1), numbers.shape)

    return run


def _model(value: ir.Value, leaf: ir.Value, nodes: list[ir.Node], model: ir.Model) -> ir.Model:
    x = ir.Value(name="x", shape=ir.Shape(["n"]), type=leaf.type)
    inner: dict[ir.Value, ir.Value] = {leaf: x}
    copies = []
    constants: dict[ir.Value, ir.Value] = {}
    for node in reversed(nodes):
        inputs: list[ir.Value | None] = []
        for source in node.inputs:
            if source is None or source in inner:
                inputs.append(None if source is None else inner[source])
                continue
            tensor = source.const_value
            assert tensor is not None
            flat = ir.tensor(tensor.numpy().reshape(-1)[0])
            if source not in constants:
                constants[source] = ir.Value(
                    name=f"c{len(constants)}", shape=ir.Shape([]), type=source.type,
                    const_value=flat,
                )  # fmt: skip
            inputs.append(constants[source])
        copy = ir.node(
            node.op_type, inputs, domain=node.domain,
            attributes={n: a.value for n, a in node.attributes.items()},
        )  # fmt: skip
        copies.append(copy)
        copy.outputs[0].name, copy.outputs[0].type = f"v{len(copies)}", node.outputs[0].type
        inner[node.outputs[0]] = copy.outputs[0]
    graph = ir.Graph(
        [x], [inner[value]], nodes=copies, initializers=list(constants.values()),
        opset_imports=dict(model.graph.opset_imports), name="function",
    )  # fmt: skip
    return ir.Model(graph, ir_version=model.ir_version)
