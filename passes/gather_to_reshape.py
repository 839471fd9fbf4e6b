"""Write the choice of the only element of an axis as a reshape."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, discard, replace
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="canonicalise", after=("fold_constants",))
def gather_to_reshape(model: ir.Model, context: PassContext) -> int:
    """Replace Gather of place 0 of an axis of one element by Reshape.

    Given:  y = Gather(x: f32[16,64,1], 0, axis=2)
    Result: y = Reshape(x, [16, 64])
    """
    del context
    changes = 0
    for graph in graph_facts.graphs_of(model):
        for node in list(graph):
            if not graph_facts.is_op(node, "Gather"):
                continue
            x, index = node.inputs
            shape, out = graph_facts.shape_of(x), graph_facts.shape_of(node.outputs[0])
            if x is None or shape is None or out is None or graph_facts.is_constant(x):
                continue
            if graph_facts.ints_of(index) not in ([0], [-1]):
                continue
            if shape[graph_facts.axis_of(node, 0, len(shape))] != 1:
                continue
            changes += replace(node.outputs[0], Emitter(node).reshape(x, *out))
            discard([node])
    return changes
