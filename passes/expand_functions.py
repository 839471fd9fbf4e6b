"""Expand standard operators that the code generator lacks."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each
from edgemoe.standard_functions import expand

EXPANDED = frozenset(
    [
        "Attention",
        "RotaryEmbedding",
        "Swish",
        "Celu",
        "CenterCropPad",
        "HannWindow",
        "HammingWindow",
        "BlackmanWindow",
        "MeanVarianceNormalization",
    ]
)


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def expand_functions(model: ir.Model, context: PassContext) -> int:
    """Replace Attention, RotaryEmbedding and others by the standard's own definition of them.

    Given:  y = Swish(x) {alpha=1}
    Result: y = Mul(x, Sigmoid(x))
    """
    del context
    return rewrite_each(model, EXPANDED, expand)
