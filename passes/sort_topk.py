"""Ask TopK for sorted results."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="canonicalise", exact="reassociation")
def sort_topk(model: ir.Model, context: PassContext) -> int:
    """Set sorted=1 on every TopK: the order was free, now it is the one that all targets have.

    Given:  v, i = TopK(x, k) {sorted=0}
    Result: v, i = TopK(x, k) {sorted=1}
    """
    del context
    changes = 0
    for graph in graph_facts.graphs_of(model):
        for node in graph:
            if graph_facts.is_op(node, "TopK") and not graph_facts.attribute(node, "sorted", 1):
                node.attributes["sorted"] = ir.AttrInt64("sorted", 1)
                changes += 1
    return changes
