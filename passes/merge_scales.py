"""Scale the smaller side of a product once."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="canonicalise", after=("expand_functions",), exact="reassociation")
def merge_scales(model: ir.Model, context: PassContext) -> int:
    """Move constant factors of both sides of a MatMul to its left side, which holds the tokens.

    Given:  y = MatMul(Mul(q, 0.5), Mul(k, 0.5))
    Result: y = MatMul(Mul(q, 0.25), k)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if not graph_facts.is_op(node, "MatMul"):
            continue
        left, right = (_scaled(value) for value in node.inputs)
        if left is None or right is None:
            continue
        emit = Emitter(node)
        dtype = left[0].dtype
        assert dtype is not None
        factor = emit.constant(np.array(left[1] * right[1], dtype.numpy()), "scale")
        node.replace_input_with(0, emit.op("Mul", left[0], factor))
        node.replace_input_with(1, right[0])
        changes += 1
    return changes


def _scaled(value: ir.Value | None) -> tuple[ir.Value, float] | None:
    node = graph_facts.made_by(value, "Mul")
    if node is None:
        return None
    for source, factor in (node.inputs, tuple(reversed(node.inputs))):
        number = graph_facts.scalar_of(factor)
        if number is not None and source is not None and not graph_facts.is_constant(source):
            return (
                (source, number)
                if (source.dtype or ir.DataType.INT64).is_floating_point()
                else None
            )
    return None
