"""Read weights that are stored as integers as the float weights that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, packed_weights
from edgemoe.emit import Emitter, derived_constant
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.microsoft_shapes import DOMAIN
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def dequantise_weights(model: ir.Model, context: PassContext) -> int:
    """Make constant DequantizeLinear and MatMulNBits weights float constants, computed when read.

    Given:  w = DequantizeLinear(*q: i4[64,32], *s: f32[2,32]) {axis=0, block_size=32}
    Result: *q.dequantised: f32[64,32]
    """
    del context
    changes = rewrite_each(model, ("DequantizeLinear",), _dequantise)
    return changes + rewrite_each(model, ("MatMulNBits",), _matmul_bits, domains=(DOMAIN,))


def _dequantise(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    codes, scale, zero = [*node.inputs, None][:3]
    if not graph_facts.is_constant(codes) or not graph_facts.is_constant(scale):
        return None
    if (zero is not None and not graph_facts.is_constant(zero)) or node.outputs[
        0
    ].is_graph_output():
        return None
    assert codes is not None and scale is not None
    tensors = [None if v is None else v.const_value for v in (codes, scale, zero)]
    axis = graph_facts.attribute(node, "axis", 1)
    block = graph_facts.attribute(node, "block_size", 0)
    shape, dtype = graph_facts.shape_of(codes), scale.dtype
    if shape is None or dtype is None:
        return None

    def compute() -> np.ndarray:
        q, s, z = (None if t is None else t.numpy() for t in tensors)
        assert q is not None and s is not None
        return packed_weights.dequantise_linear(q, s, z, axis, block)

    return [derived_constant(emit.graph, f"{codes.name}.dequantised", dtype, shape, compute)]


def _matmul_bits(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    a, packed, scale, zero, order, bias = [*node.inputs, None, None, None][:6]
    if order is not None or graph_facts.attribute(node, "weight_prepacked", 0):
        return None
    if not all(graph_facts.is_constant(v) for v in (packed, scale)) or packed is None:
        return None
    if zero is not None and not graph_facts.is_constant(zero):
        return None
    rows, width = (graph_facts.attribute(node, name, 0) for name in ("N", "K"))
    bits = graph_facts.attribute(node, "bits", 4)
    block = graph_facts.attribute(node, "block_size", 32)
    tensors = [None if v is None else v.const_value for v in (packed, scale, zero)]

    def compute() -> np.ndarray:
        q, s, z = (None if t is None else t.numpy() for t in tensors)
        assert q is not None and s is not None
        z = None if z is None else z.reshape(rows, -1)
        flat = packed_weights.dequantise_blocks(
            q.reshape(rows, -1), s.reshape(rows, -1), z, bits, block, width
        )
        return flat.T

    if a is None or a.dtype is None:
        return None
    name = f"{packed.name}.dequantised"
    weight = derived_constant(emit.graph, name, ir.DataType.FLOAT, (width, rows), compute)
    y = emit.op("MatMul", a, emit.cast(weight, a.dtype))
    return [y if bias is None else emit.op("Add", y, bias)]
