"""Compute at compile time what depends on no input."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts, shapes
from edgemoe.emit import add_constant, derived_constant, replace
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.stacked_weights import SLICE

_PART = "edgemoe.part"  # value.meta: (the constant, the index) of a part of one row
LIMIT_BYTES = 64 << 20  # larger results stay nodes, unless they are weights in another layout
_LAZY = frozenset({"Transpose", "Reshape", "Unsqueeze", "Squeeze", "Cast"})
_RANDOM = frozenset(
    [
        "RandomNormal",
        "RandomUniform",
        "RandomNormalLike",
        "RandomUniformLike",
        "Bernoulli",
        "Multinomial",
    ]
)


@graph_pass(phase="canonicalise", after=("lift_constants",))
def fold_constants(model: ir.Model, context: PassContext) -> int:
    """Replace nodes whose inputs are all constant, and sizes of static shapes, by their values.

    Given:  s = Shape(x: f32[2,3]); n = Gather(s, 1); y = Reshape(x, Concat(n, 2))
    Result: y = Reshape(x, *[3, 2])
    """
    del context
    known = shapes.infer(model)
    changes = 0
    for graph in list(graph_facts.graphs_of(model)):
        for node in list(graph):
            changes += _fold(graph, node, known)
    return changes


def _fold(graph: ir.Graph, node: ir.Node, known: dict[ir.Value, np.ndarray]) -> int:
    if node.domain not in ("", "ai.onnx") or node.op_type in _RANDOM or not _used(node):
        return 0
    if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
           for a in node.attributes.values()):  # fmt: skip
        return 0
    if all(output in known for output in node.outputs if output.uses()):
        return _store(graph, node, {o: known[o] for o in node.outputs if o in known})
    inputs = [value for value in node.inputs if value is not None]
    if not inputs or not all(graph_facts.is_constant(value) for value in inputs):
        return 0
    if any(v.const_value is not None and v.const_value.dtype == ir.DataType.STRING for v in inputs):
        return 0
    if parts := _in_parts(graph, node):
        return parts
    if (lazy := _lazily(graph, node)) is not None:
        return lazy
    sizes = [_nbytes(output) for output in node.outputs]
    if any(size is None or size > LIMIT_BYTES for size in sizes):
        return 0
    arrays = constant_eval.evaluate([o for o in node.outputs if o.name])
    return _store(graph, node, dict(zip(node.outputs, arrays, strict=False)))


def _lazily(graph: ir.Graph, node: ir.Node) -> int | None:
    """Fold a weight in another layout or type without computing it now, when it is large."""
    output = node.outputs[0]
    shape, dtype, size = graph_facts.shape_of(output), output.dtype, _nbytes(output)
    row = _row(node)
    if (node.op_type not in _LAZY and row is None) or shape is None or dtype is None:
        return None
    if size is None or (size <= 1 << 20 and row is None):
        return None
    copy = Frozen(node)
    name = str(output.name)
    output.name = f"{name}.node"
    constant = derived_constant(graph, name, dtype, shape, copy.compute)
    if row is not None:
        constant.meta[SLICE] = row
    return int(replace(output, constant))


def _in_parts(graph: ir.Graph, node: ir.Node) -> int:
    """Fold a Split of a weight [E, ...] into its E rows; each is computed when it is read."""
    source = node.inputs[0]
    shape = graph_facts.shape_of(source)
    if source is None or shape is None or len(shape) < 3 or not graph_facts.is_op(node, "Split"):
        return 0
    if graph_facts.axis_of(node, 0, len(shape)) != 0 or len(node.outputs) != shape[0]:
        return 0
    changes = 0
    for index, output in enumerate(node.outputs):
        if not output.uses() or output.is_graph_output() or output.dtype is None:
            continue
        copy, name = Frozen(node, index), str(output.name)
        output.name = f"{name}.node"
        part = derived_constant(graph, name, output.dtype, (1, *shape[1:]), copy.compute)
        part.meta[_PART] = (source, index)
        changes += replace(output, part)
    return changes


def _row(node: ir.Node) -> tuple[ir.Value, int] | None:
    """Return (W, e) when a node takes row e of a constant weight W of rank 2 or more."""
    source = node.inputs[0]
    shape = graph_facts.shape_of(source)
    if (
        source is not None
        and _PART in source.meta
        and graph_facts.is_op(node, "Squeeze", "Reshape")
    ):
        whole, index = source.meta[_PART]
        same = graph_facts.shape_of(node.outputs[0]) == (shape or ())[1:]
        return (whole, index) if same else None
    if source is None or shape is None or len(shape) < 2 or not graph_facts.is_op(node, "Gather"):
        return None
    index, rank = graph_facts.ints_of(node.inputs[1]), graph_facts.shape_of(node.inputs[1])
    if graph_facts.axis_of(node, 0, len(shape)) != 0 or index is None or rank != ():
        return None
    return source, index[0] % shape[0]


class Frozen:
    """One output of a node apart from its graph, with the tensors that it reads."""

    def __init__(self, node: ir.Node, index: int = 0) -> None:
        self._index = index
        self._inputs = [
            None
            if value is None
            else ir.Value(name=f"in{i}", shape=value.shape, type=value.type,
                          const_value=value.const_value)
            for i, value in enumerate(node.inputs)
        ]  # fmt: skip
        outputs = [ir.Value(name=f"out{i}", type=o.type) for i, o in enumerate(node.outputs)]
        self._node = ir.Node(
            "", node.op_type, self._inputs, node.attributes.values(), outputs=outputs, name="frozen"
        )

    def compute(self) -> np.ndarray:
        """Return the output."""
        return constant_eval.evaluate([self._node.outputs[self._index]])[0]


def _store(graph: ir.Graph, node: ir.Node, arrays: dict[ir.Value, np.ndarray]) -> int:
    changes = 0
    for output, array in arrays.items():
        if output.is_graph_output() or not output.uses():
            continue
        name = str(output.name)
        output.name = f"{name}.node"
        tensor = ir.tensor(np.ascontiguousarray(array).reshape(array.shape), dtype=output.dtype)
        changes += replace(output, add_constant(graph, tensor, name))
    return changes


def _used(node: ir.Node) -> bool:
    return any(output.uses() and not output.is_graph_output() for output in node.outputs)


def _nbytes(value: ir.Value) -> int | None:
    size = graph_facts.size_of(value)
    return None if size is None or value.dtype is None else int(size * value.dtype.itemsize)
