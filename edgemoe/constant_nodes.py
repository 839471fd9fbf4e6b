"""Constant nodes as initialisers: what asks for constants looks at initialisers only."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import add_constant, replace


def lift(graph: ir.Graph) -> int:
    """Turn the Constant nodes of a graph into initialisers; returns how many."""
    changes = 0
    for node in list(graph):
        if not graph_facts.is_op(node, "Constant"):
            continue
        tensor = _tensor(node)
        output = node.outputs[0]
        if tensor is None or output.is_graph_output():
            continue
        name = str(output.name)
        output.name = f"{name}.node"
        replace(output, add_constant(graph, tensor, name))
        graph.remove(node, safe=True)
        changes += 1
    return changes


def _tensor(node: ir.Node) -> ir.TensorProtocol | None:
    for name, attribute in node.attributes.items():
        if name == "value":
            return attribute.as_tensor()
        if name in ("value_int", "value_ints"):
            return ir.tensor(np.array(attribute.value, np.int64))
        if name in ("value_float", "value_floats"):
            return ir.tensor(np.array(attribute.value, np.float32))
    return None
