"""Make Constant nodes initialisers."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import constant_nodes, graph_facts
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="canonicalise")
def lift_constants(model: ir.Model, context: PassContext) -> int:
    """Turn every Constant node of the graph into an initialiser.

    Given:  c = Constant(value=[1, 2]); y = Add(x, c)
    Result: y = Add(x, *c)
    """
    del context
    return sum(constant_nodes.lift(graph) for graph in list(graph_facts.graphs_of(model)))
