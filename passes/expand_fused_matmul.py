"""Expand onnxruntime's MatMul with transposes and a factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.microsoft_shapes import DOMAIN
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def expand_fused_matmul(model: ir.Model, context: PassContext) -> int:
    """Split FusedMatMul into Transpose, MatMul and Mul.

    Given:  y = com.microsoft::FusedMatMul(a, b) {transB=1, alpha=0.5}
    Result: y = Mul(MatMul(a, Transpose(b)), 0.5)
    """
    del context
    return rewrite_each(model, ("FusedMatMul",), _expand, domains=(DOMAIN,))


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    if graph_facts.attribute(node, "transBatchA", 0) or graph_facts.attribute(
        node, "transBatchB", 0
    ):
        return None
    operands = []
    for value, flag in zip(node.inputs, ("transA", "transB"), strict=True):
        if value is None or value.shape is None:
            return None
        rank = len(value.shape)
        if graph_facts.attribute(node, flag, 0) and rank > 1:
            value = emit.op("Transpose", value, perm=[*range(rank - 2), rank - 1, rank - 2])
        operands.append(value)
    y = emit.op("MatMul", *operands)
    alpha = graph_facts.float_attribute(node, "alpha", 1.0)
    if alpha == 1.0 or y.dtype is None:
        return [y]
    return [emit.op("Mul", y, emit.constant(np.array(alpha, y.dtype.numpy()), "alpha"))]
