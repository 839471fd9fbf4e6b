"""Expand onnxruntime's variants of GELU."""

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
def expand_microsoft_gelu(model: ir.Model, context: PassContext) -> int:
    """Write Gelu, BiasGelu, FastGelu and QuickGelu of com.microsoft in standard operators.

    Given:  y = com.microsoft::QuickGelu(x) {alpha=1.702}
    Result: y = Mul(x, Sigmoid(Mul(x, 1.702)))
    """
    del context
    ops = ("Gelu", "BiasGelu", "FastGelu", "QuickGelu")
    return rewrite_each(model, ops, _expand, domains=(DOMAIN,))


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    x = node.inputs[0]
    assert x is not None and x.dtype is not None
    if node.op_type == "QuickGelu":
        alpha = graph_facts.float_attribute(node, "alpha", 1.702)
        factor = emit.constant(np.array(alpha, x.dtype.numpy()), "alpha")
        return [emit.op("Mul", x, emit.op("Sigmoid", emit.op("Mul", x, factor)))]
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        x = emit.op("Add", x, node.inputs[1])
    approximate = "tanh" if node.op_type == "FastGelu" else "none"
    return [emit.op("Gelu", x, approximate=approximate)]
