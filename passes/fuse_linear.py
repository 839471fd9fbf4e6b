"""Fuse a product with a constant matrix and the elementwise operators that follow it."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.epilogue import grow
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.outline import free_name, outline


@graph_pass(phase="fuse", after=("fuse_channel_mix",))
def fuse_linear(model: ir.Model, context: PassContext) -> int:
    """Outline MatMul or Gemm with a constant weight, and its epilogue, as `Linear_N`.

    Given:  h = MatMul(x, W); a = Add(h, b); s = Sigmoid(a); y = Mul(a, s)
    Result: y = Linear_0(x, W, b)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if node.graph is None or not _is_linear(node):
            continue
        x, weight = node.inputs[:2]
        assert x is not None and weight is not None
        end = grow(model.graph, node)
        name = free_name(model, "Linear")
        outline(model, name, "Linear", [x, weight, *end.operands], ["x", "weight"], [end.value], {},
                inline=1)  # fmt: skip
        changes += 1
    return changes


def _is_linear(node: ir.Node) -> bool:
    if not graph_facts.is_op(node, "MatMul", "Gemm"):
        return False
    x, weight = node.inputs[:2]
    if x is None or weight is None or not graph_facts.is_constant(weight):
        return False
    if x.dtype != ir.DataType.FLOAT or len(weight.shape or ()) != 2 or not x.shape:
        return False
    if node.op_type == "Gemm":
        plain = node.attributes.get_float("alpha", 1.0) == node.attributes.get_float("beta", 1.0)
        return plain and node.attributes.get_float("alpha", 1.0) == 1.0 and not (
            node.attributes.get_int("transA", 0)
        )  # fmt: skip
    return True
