"""Rows written into a tensor at a place (key-value caches): all in the scale of the tensor."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import change_scale
from edgemoe.integer.quantised import Target, whole

ORDER = 75


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Move codes of new rows to where the indices say."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "ScatterND", "ScatterElements"):
        return None
    if graph_facts.text_attribute(node, "reduction", "none") != "none":
        return "it adds to what is there"
    data, places, rows = node.inputs[:3]
    assert data is not None and places is not None and rows is not None
    x = c.want(data)
    shared = whole(x.quantised)
    new = change_scale(c, c.want(rows, node, shared), shared, rows, ".row")
    attributes = {n: a.value for n, a in node.attributes.items() if n == "axis"}
    made = c.move(node.op_type, x, [c.want_other(places), new.value], attributes, value)
    return Integer(made.value, x.quantised, min(x.low, new.low), max(x.high, new.high))
