"""Fuse a product with a constant matrix from the left and the elementwise operators after it."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.epilogue import grow
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.outline import free_name, outline
from edgemoe.passes.sink_transposes import WIDE


@graph_pass(phase="fuse", after=("sink_transposes",))
def fuse_token_mix(model: ir.Model, context: PassContext) -> int:
    """Outline MatMul(W, x) over many channels, and its epilogue, as `TokenMix_N`.

    Given:  h = MatMul(W, x); y = Gelu(Add(h, b))     (W: [M, K] constant, x: [.., K, N])
    Result: y = TokenMix_0(W, x, b)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if node.graph is None or not graph_facts.is_op(node, "MatMul"):
            continue
        weight, x = node.inputs
        shape = graph_facts.shape_of(x)
        if x is None or weight is None or shape is None or not graph_facts.is_constant(weight):
            continue
        if len(weight.shape or ()) != 2 or len(shape) < 2 or shape[-1] < WIDE:
            continue
        if x.dtype != ir.DataType.FLOAT or graph_facts.is_constant(x):
            continue
        end = grow(model.graph, node, rows_only_last=True)
        name = free_name(model, "TokenMix")
        outline(model, name, "TokenMix", [weight, x, *end.operands], ["weight", "x"], [end.value],
                {}, inline=1)  # fmt: skip
        changes += 1
    return changes
