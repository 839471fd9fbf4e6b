"""Compute equal things once."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass

from edgemoe import graph_facts
from edgemoe.graph_pass import PassContext, graph_pass

_SMALL = 16  # elements; larger constants are parameters, which stay apart


@graph_pass(phase="canonicalise", after=("fold_constants",))
def share_subexpressions(model: ir.Model, context: PassContext) -> int:
    """Let nodes with the same operator, attributes and inputs be one node.

    Given:  a = Unsqueeze(x, [1]); b = Unsqueeze(x, [1]); y = Add(a, b)
    Result: a = Unsqueeze(x, [1]); y = Add(a, a)
    """
    del context
    changes = _share_constants(model.graph)
    before = model.graph.num_nodes()
    CommonSubexpressionEliminationPass()(model)
    return changes + before - model.graph.num_nodes()


def _share_constants(graph: ir.Graph) -> int:
    first: dict[tuple[object, ...], ir.Value] = {}
    changes = 0
    for value in list(graph.initializers.values()):
        tensor = value.const_value
        if not graph_facts.is_constant(value) or tensor is None or not value.uses():
            continue
        if tensor.size > _SMALL or tensor.dtype == ir.DataType.STRING or value.is_graph_output():
            continue
        key = (tensor.dtype, tuple(tensor.shape), tensor.tobytes())
        kept = first.setdefault(key, value)
        if kept is not value:
            value.replace_all_uses_with(kept)
            changes += 1
    return changes
