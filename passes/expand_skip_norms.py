"""Expand onnxruntime's fused normalisations."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each

_OPS = (
    "SimplifiedLayerNormalization",
    "SkipSimplifiedLayerNormalization",
    "SkipLayerNormalization",
)


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def expand_skip_norms(model: ir.Model, context: PassContext) -> int:
    """Split a fused residual and normalisation into Add and RMSNormalization.

    Given:  y, -, -, s = com.microsoft::SkipSimplifiedLayerNormalization(x, r, *g)
    Result: s = Add(x, r); y = RMSNormalization(s, *g)
    """
    del context
    return rewrite_each(model, _OPS, _expand, domains=("", "com.microsoft"))


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value | None] | None:
    if any(o.uses() or o.is_graph_output() for o in node.outputs[1:3]):
        return None  # mean and inverse deviation are for training
    eps = graph_facts.float_attribute(
        node, "epsilon", 1e-5 if node.op_type == "SimplifiedLayerNormalization" else 1e-12
    )
    x = node.inputs[0]
    if node.op_type == "SimplifiedLayerNormalization":
        axis = graph_facts.attribute(node, "axis", -1)
        return [emit.op("RMSNormalization", x, node.inputs[1], axis=axis, epsilon=eps)]
    rest = [*node.inputs[2:], None, None, None]
    simple = node.op_type == "SkipSimplifiedLayerNormalization"
    gamma, beta, bias = (rest[0], None, rest[1]) if simple else rest[:3]
    total = emit.op("Add", x, node.inputs[1])
    if bias is not None:
        total = emit.op("Add", total, bias)
    if simple:
        y = emit.op("RMSNormalization", total, gamma, axis=-1, epsilon=eps)
    else:
        parameters = [gamma] if beta is None else [gamma, beta]
        y = emit.op("LayerNormalization", total, *parameters, axis=-1, epsilon=eps)
    return [y, None, None, total]
