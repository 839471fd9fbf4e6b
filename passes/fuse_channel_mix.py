"""Fuse the products over channels of a mixer and the elementwise operators after them."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.epilogue import grow
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.outline import free_name, outline

LEAST_ROWS = 16
"""Products of fewer rows are bound by memory: `Linear` reads weights as fast."""

PANEL = 32
"""The kernel computes this many columns at a time, without a rest."""


@graph_pass(phase="fuse", after=("fuse_token_mix",))
def fuse_channel_mix(model: ir.Model, context: PassContext) -> int:
    """Outline MatMul(x, W) of a graph that mixes tokens, and its epilogue, as `ChannelMix_N`.

    Given:  h = MatMul(x, W); y = Gelu(Add(h, b))     (W: [K, N] constant, N a multiple of 32)
    Result: y = ChannelMix_0(x, W, b)
    """
    del context
    if not any(graph_facts.kind_of(node) == "TokenMix" for node in model.graph):
        return 0
    changes = 0
    for node in list(model.graph):
        if node.graph is None or not _is_channel_mix(node):
            continue
        x, weight = node.inputs
        assert x is not None and weight is not None
        end = grow(model.graph, node)
        if any(graph_facts.kind_of(use.node) == "Route" for use in end.value.uses()):
            continue  # a router's weights stay in float32, which `Linear` knows
        name = free_name(model, "ChannelMix")
        outline(model, name, "ChannelMix", [x, weight, *end.operands], ["x", "weight"],
                [end.value], {}, inline=1)  # fmt: skip
        changes += 1
    return changes


def _is_channel_mix(node: ir.Node) -> bool:
    if not graph_facts.is_op(node, "MatMul"):
        return False
    x, weight = node.inputs
    shape = graph_facts.shape_of(x)
    if x is None or weight is None or shape is None or not graph_facts.is_constant(weight):
        return False
    columns = graph_facts.shape_of(weight)
    if x.dtype != ir.DataType.FLOAT or columns is None or len(columns) != 2:
        return False
    return len(shape) > 2 and shape[-2] >= LEAST_ROWS and columns[1] % PANEL == 0
