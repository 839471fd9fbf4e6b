"""Write norms that have no kernel as reductions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def expand_norms(model: ir.Model, context: PassContext) -> int:
    """Divide by the length of vectors, and compute layer norms of which the mean is read.

    Given:  y = LpNormalization(x) {axis=-1, p=2}
    Result: y = Div(x, ReduceL2(x, [-1]))
    """
    del context
    changes = rewrite_each(model, ("LpNormalization",), _length)
    return changes + rewrite_each(model, ("LayerNormalization",), _with_mean)


def _length(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x = node.inputs[0]
    if x is None:
        return None
    axis = emit.ints(graph_facts.attribute(node, "axis", -1))
    kind = "ReduceL1" if graph_facts.attribute(node, "p", 2) == 1 else "ReduceL2"
    return [emit.op("Div", x, emit.op(kind, x, axis))]


def _with_mean(emit: Emitter, node: ir.Node) -> Sequence[ir.Value | None] | None:
    if not any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return None
    x, scale, *rest = node.inputs
    shape = graph_facts.shape_of(x)
    if x is None or shape is None or x.dtype != ir.DataType.FLOAT:
        return None
    axes = emit.ints(*range(graph_facts.axis_of(node, -1, len(shape)), len(shape)))
    epsilon = np.array(graph_facts.float_attribute(node, "epsilon", 1e-5), np.float32)
    mean = emit.op("ReduceMean", x, axes)
    distance = emit.op("Sub", x, mean)
    variance = emit.op("ReduceMean", emit.op("Mul", distance, distance), axes)
    spread = emit.op("Sqrt", emit.op("Add", variance, emit.constant(epsilon, "epsilon")))
    inverse = emit.op("Reciprocal", spread)
    y = emit.op("Mul", emit.op("Mul", distance, inverse), scale)
    if rest and rest[0] is not None:
        y = emit.op("Add", y, rest[0])
    return [y, mean, inverse]
