"""The k largest of the last axis and where they are: ids are int32."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.quantised import Target

ORDER = 30


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make the values or the ids of a TopK; both come from one operator."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "TopK") or node.inputs[0] is None:
        return None
    shape = graph_facts.shape_of(node.inputs[0])
    assert shape is not None
    if graph_facts.axis_of(node, -1, len(shape)) != len(shape) - 1:
        return "it looks along another axis than the last"
    if not graph_facts.attribute(node, "largest", 1):
        return "it takes the smallest"
    chosen = graph_facts.shape_of(node.outputs[0])
    assert chosen is not None
    if node not in c.shared:
        x = c.want(node.inputs[0])
        dtype = x.value.dtype or ir.DataType.INT8
        made = ir.node(
            "TopK", [x.value], domain=DOMAIN, attributes={"k": chosen[-1]}, num_outputs=2,
            name=node.name, metadata_props=dict(node.metadata_props),
        )  # fmt: skip
        for output, old, given in zip(
            made.outputs, node.outputs, (dtype, ir.DataType.INT32), strict=True
        ):
            output.name = c.free(str(old.name))
            output.shape, output.type = old.shape, ir.TensorType(given)
        c.graph.append(made)
        c.shared[node] = (x, made)
    x, made = c.shared[node]
    return Integer(made.outputs[value.index() or 0], x.quantised, x.low, x.high)
