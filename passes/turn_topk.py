"""Bring the axis of every selection to the end, where the kernel wants it."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each

_KERNEL = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.INT32, ir.DataType.INT64)
_WIDER = {
    ir.DataType.FLOAT16: ir.DataType.FLOAT, ir.DataType.BFLOAT16: ir.DataType.FLOAT,
    ir.DataType.INT8: ir.DataType.INT32, ir.DataType.UINT8: ir.DataType.INT32,
    ir.DataType.INT16: ir.DataType.INT32, ir.DataType.UINT16: ir.DataType.INT32,
}  # fmt: skip


@graph_pass(phase="fuse")
def turn_topk(model: ir.Model, context: PassContext) -> int:
    """Transpose in front of and behind a TopK of another axis, and widen small element types.

    Given:  v, i = TopK(x: f32[T,E], k) {axis=0}
    Result: v, i = Transpose of TopK(Transpose(x), k) {axis=1}
    """
    del context
    return rewrite_each(model, ("TopK",), _turn)


def _turn(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x, count = node.inputs
    shape = graph_facts.shape_of(x)
    if x is None or shape is None or x.dtype is None:
        return None
    rank = len(shape)
    axis = graph_facts.axis_of(node, -1, rank)
    dtype = _WIDER.get(x.dtype, x.dtype)
    if (axis == rank - 1 and dtype == x.dtype) or dtype not in _KERNEL:
        return None
    order = [*(a for a in range(rank) if a != axis), axis]
    back = [order.index(a) for a in range(rank)]
    turned = emit.cast(x, dtype)
    if axis != rank - 1:
        turned = emit.op("Transpose", turned, perm=order)
    attributes = {"axis": rank - 1, "largest": graph_facts.attribute(node, "largest", 1)}
    values, numbers = emit.node("TopK", [turned, count], attributes, outputs=2).outputs
    if axis != rank - 1:
        values = emit.op("Transpose", values, perm=back)
        numbers = emit.op("Transpose", numbers, perm=back)
    return [emit.cast(values, x.dtype), numbers]
