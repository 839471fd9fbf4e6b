"""Create nodes and constants; what is created inherits the origin of what it replaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts

EAGER_BYTES = 1 << 20  # a derived weight above this is computed when it is read, and not kept


class Emitter:
    """Inserts nodes in front of `anchor`, with the anchor's origin and inferred shapes."""

    def __init__(self, anchor: ir.Node) -> None:
        graph = anchor.graph
        if not isinstance(graph, ir.Graph):
            raise TypeError(f"node {anchor.name} is not in a graph")
        self.graph: ir.Graph = graph
        self.anchor = anchor
        self.origin = graph_facts.origin_of(anchor)

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Insert a standard operator with one output."""
        return self.node(op_type, inputs, attributes).outputs[0]

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: dict[str, Any] | None = None,
        *,
        domain: str = "",
        outputs: int = 1,
        metadata: dict[str, str] | None = None,
    ) -> ir.Node:
        """Insert a node; standard operators get their shapes and types at once."""
        node = ir.node(
            op_type, list(inputs), attributes=attributes or {}, domain=domain, num_outputs=outputs,
            metadata_props={**(metadata or {}), graph_facts.ORIGIN: self.origin},
        )  # fmt: skip
        self.graph.insert_before(self.anchor, node)
        infer_node(node)
        return node

    def ints(self, *values: int) -> ir.Value:
        """Return a constant int64 [n]."""
        return self.constant(np.array(values, np.int64))

    def constant(self, array: np.ndarray, name: str = "const") -> ir.Value:
        """Return an initialiser of the graph that holds `array`."""
        return add_constant(self.graph, ir.tensor(np.asarray(array, order="C")), name)

    def reshape(self, value: ir.Value, *shape: int) -> ir.Value:
        """Give `value` another shape, or return it when it has that shape already."""
        if graph_facts.shape_of(value) == shape:
            return value
        return self.op("Reshape", value, self.ints(*shape))

    def cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """Give `value` another element type, or return it when it has that type already."""
        return value if value.dtype == dtype else self.op("Cast", value, to=int(dtype))


def add_constant(graph: ir.Graph, tensor: ir.TensorProtocol, name: str) -> ir.Value:
    """Register an initialiser under a free name derived from `name`."""
    free, count = name, 1
    taken = graph.initializers
    while free in taken:
        count += 1
        free = f"{name}.{count}"
    value = ir.Value(
        name=free,
        shape=_extents(tensor),
        type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )
    graph.register_initializer(value)
    return value


def _extents(tensor: ir.TensorProtocol) -> ir.Shape:
    return ir.Shape([d for d in tensor.shape if isinstance(d, int)])


def derived_constant(
    graph: ir.Graph,
    name: str,
    dtype: ir.DataType,
    shape: Sequence[int],
    compute: Callable[[], np.ndarray],
) -> ir.Value:
    """Register a weight computed from others: at once when small, when it is read otherwise."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    tensor: ir.TensorProtocol
    if size <= EAGER_BYTES:
        tensor = ir.tensor(np.asarray(compute(), order="C"), dtype=dtype)
    else:
        tensor = ir.LazyTensor(
            lambda: ir.tensor(np.asarray(compute(), order="C"), dtype=dtype),
            dtype=dtype, shape=ir.Shape(shape), name=name,
        )  # fmt: skip
    return add_constant(graph, tensor, name)


def replace(old: ir.Value, new: ir.Value) -> bool:
    """Let every user of `old` read `new`; graph outputs keep their names.

    Returns False, with nothing changed, where an output of the graph would have to become an
    input, a constant or another output.
    """
    if old is new:
        return False
    graph = old.graph
    if old.is_graph_output():
        if new.producer() is None or new.is_graph_output() or new.graph is not graph:
            return False
        name, old.name = old.name, f"{old.name}.replaced"
        new.name = name
    elif _is_new(new):
        name, old.name = old.name, f"{old.name}.replaced"
        new.name = name
    if new.shape is None or graph_facts.shape_of(new) is None:
        new.shape = old.shape
    if new.type is None:
        new.type = old.type
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    return True


def _is_new(value: ir.Value) -> bool:
    """Tell whether a value was made by an `Emitter` and still has the name that the graph gave."""
    return value.producer() is not None and bool(value.meta.get("emitted"))


def infer_node(node: ir.Node) -> None:
    """Fill in shapes and types of a new node's outputs from its inputs."""
    for output in node.outputs:
        output.meta["emitted"] = True
    if node.domain not in ("", "ai.onnx"):
        return
    from edgemoe.shapes import infer_one

    infer_one(node)


def discard(nodes: Sequence[ir.Node]) -> int:
    """Remove nodes that nobody reads any more, and what they alone read; returns how many."""
    removed = 0
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if node.graph is None or any(o.uses() or o.is_graph_output() for o in node.outputs):
            continue
        sources = [value.producer() for value in node.inputs if value is not None]
        node.graph.remove(node, safe=True)
        removed += 1
        todo.extend(source for source in dict.fromkeys(sources) if source is not None)
    return removed
