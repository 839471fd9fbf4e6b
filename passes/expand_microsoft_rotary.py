"""Expand onnxruntime's rotary embedding."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.microsoft_shapes import DOMAIN
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def expand_microsoft_rotary(model: ir.Model, context: PassContext) -> int:
    """Rewrite com.microsoft::RotaryEmbedding as the standard operator of the same name.

    Given:  y = com.microsoft::RotaryEmbedding(x: f32[B,L,H], positions, *cos, *sin) {num_heads=4}
    Result: y = RotaryEmbedding(x, *cos, *sin, positions) {num_heads=4}
    """
    del context
    return rewrite_each(model, ("RotaryEmbedding",), _expand, domains=(DOMAIN,))


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x, positions, cos, sin = node.inputs[:4]
    shape, where = graph_facts.shape_of(x), graph_facts.shape_of(positions)
    table = graph_facts.shape_of(cos)
    if x is None or positions is None or shape is None or where is None or table is None:
        return None
    scale = graph_facts.float_attribute(node, "scale", 1.0)
    if graph_facts.attribute(node, "is_packed_batching", 0) or scale != 1.0:
        return None
    batch, length = shape[0], shape[-2]
    if len(where) == 1:  # one offset for all: positions offset, offset + 1, ...
        start = emit.op("Reshape", positions, emit.ints(1, 1))
        steps = emit.op("Add", start, _counting(emit, length))
        positions = emit.op("Expand", steps, emit.ints(batch, length))
    attributes = {"interleaved": graph_facts.attribute(node, "interleaved", 0)}
    width = graph_facts.attribute(node, "rotary_embedding_dim", 0)
    if width:
        attributes["rotary_embedding_dim"] = width
    if len(shape) == 3:
        heads = graph_facts.attribute(node, "num_heads", 0)
        attributes["num_heads"] = heads or shape[-1] // (2 * table[-1])
    return [emit.op("RotaryEmbedding", x, cos, sin, positions, **attributes)]


def _counting(emit: Emitter, length: int) -> ir.Value:
    row = emit.ints(*range(length))
    return emit.op("Reshape", row, emit.ints(1, length))
