"""Output shapes of the com.microsoft operators that are expanded; onnx does not know them."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts

DOMAIN = "com.microsoft"
_SAME = frozenset(
    [
        "Gelu",
        "FastGelu",
        "QuickGelu",
        "BiasGelu",
        "RotaryEmbedding",
        "MoE",
        "QMoE",
        "SimplifiedLayerNormalization",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
    ]
)


def infer_microsoft(node: ir.Node) -> None:
    """Fill in the shapes and types of a node's outputs where its inputs' are known."""
    x = node.inputs[0] if node.inputs else None
    if x is None or x.shape is None or x.dtype is None:
        return
    if node.op_type in _SAME:
        for index in (0, 3):  # output 3 of the skip norms is the sum
            if index < len(node.outputs):
                _set(node.outputs[index], list(x.shape), x.dtype)
    elif node.op_type == "MatMulNBits":
        _set(node.outputs[0], [*x.shape[:-1], graph_facts.attribute(node, "N", 0)], x.dtype)
    elif node.op_type == "FusedMatMul" and node.inputs[1] is not None:
        other = graph_facts.shape_of(node.inputs[1])
        own = graph_facts.shape_of(x)
        if own is None or other is None or len(own) < 2 or len(other) < 2:
            return
        rows = own[-1] if graph_facts.attribute(node, "transA", 0) else own[-2]
        columns = other[-2] if graph_facts.attribute(node, "transB", 0) else other[-1]
        longest = own[:-2] if len(own) >= len(other) else other[:-2]
        _set(node.outputs[0], [*longest, rows, columns], x.dtype)


def _set(value: ir.Value, shape: list[int | ir.SymbolicDim], dtype: ir.DataType) -> None:
    value.shape = ir.Shape(shape)
    value.type = ir.TensorType(dtype)
