"""Operators that move numbers about: the same ones on codes, in the same scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import change_scale
from edgemoe.integer.quantised import Target
from edgemoe.integer.ranges import is_float

ORDER = 80

MOVEMENTS = (
    "Reshape", "Transpose", "Slice", "Gather", "Squeeze", "Unsqueeze", "Expand", "Split",
    "Identity", "Flatten", "Tile", "GatherND", "GatherElements",
)  # fmt: skip


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Move codes."""
    node = value.producer()
    if node is None or not is_float(value):
        return None
    if graph_facts.kind_of(node) == "Dispatch":
        return _dispatch(c, value, node)
    if graph_facts.is_op(node, "Concat"):
        return _concat(c, value, node, target)
    if not graph_facts.is_op(node, *MOVEMENTS) or node.inputs[0] is None:
        return None
    x = c.want(node.inputs[0], node, target)
    others = [c.want_other(v) for v in node.inputs[1:] if v is not None]
    attributes: dict[str, Any] = {name: a.value for name, a in node.attributes.items()}
    if graph_facts.is_op(node, "Split"):
        return _split(c, x, others, attributes, value, node)
    if graph_facts.is_op(node, "Reshape", "Flatten"):
        # extents are static, so that -1, 0 and `allowzero` need not be understood again
        shape = graph_facts.shape_of(value)
        assert shape is not None
        others = [c.initializer(np.array(shape, np.int64), "shape")]
        return c.move("Reshape", x, others, {"allowzero": 0}, value)
    return c.move(node.op_type, x, others, attributes, value)


def _split(
    c: Converter, x: Integer, others: list[ir.Value], attributes: dict[str, Any],
    value: ir.Value, node: ir.Node,
) -> Integer:  # fmt: skip
    """One output of a Split, as a Slice: the others may not be wanted."""
    del others, attributes
    shape = graph_facts.shape_of(node.inputs[0])
    assert shape is not None
    axis = graph_facts.axis_of(node, 0, len(shape))
    extents = [(graph_facts.shape_of(output) or shape)[axis] for output in node.outputs]
    start = sum(extents[: value.index() or 0])
    ends = start + extents[value.index() or 0]
    given = [
        c.initializer(np.array([number], np.int64), name)
        for name, number in (("starts", start), ("ends", ends), ("axes", axis))
    ]
    return c.move("Slice", x, given, {}, value)


def _dispatch(c: Converter, value: ir.Value, node: ir.Node) -> Integer:
    x, ids = node.inputs[:2]
    shape = graph_facts.shape_of(ids)
    assert x is not None and shape is not None
    rows = c.initializer(np.repeat(np.arange(shape[0]), shape[1]), "rows")
    return c.move("Gather", c.want(x), [rows], {"axis": 0}, value)


def _concat(c: Converter, value: ir.Value, node: ir.Node, target: Target) -> Integer:
    """Parts in one scale; a part that nobody else reads is made in it at once."""
    parts = []
    for number, part in enumerate(node.inputs):
        assert part is not None
        made = (
            c.constant(part, target.quantised) if graph_facts.is_constant(part)
            else c.want(part, node, target)
        )  # fmt: skip
        parts.append(change_scale(c, made, target, part, f".part{number}"))
    low, high = min(p.low for p in parts), max(p.high for p in parts)
    attributes = {"axis": graph_facts.attribute(node, "axis", 0)}
    c.roots[str(value.name)] = target.quantised
    made = c.move("Concat", parts[0], [p.value for p in parts[1:]], attributes, value)
    return Integer(made.value, target.quantised, low, high)
