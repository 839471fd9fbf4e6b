"""Means and sums over one axis, or over several that lie side by side."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer, limits
from edgemoe.integer.quantised import Target

ORDER = 60


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make the sum of an axis, in which a mean's division is part of the factor."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "ReduceMean", "ReduceSum"):
        return None
    axes, source = graph_facts.axes_of(node), node.inputs[0]
    shape, result = graph_facts.shape_of(source), graph_facts.shape_of(value)
    if not axes or source is None or shape is None or result is None:
        return "its axes are not known"
    if axes != list(range(axes[0], axes[-1] + 1)):
        return "its axes do not lie side by side"
    count = math.prod(shape[axis] for axis in axes)
    x = c.want(source)
    if len(axes) > 1:
        flat = (*shape[: axes[0]], count, *shape[axes[-1] + 1 :])
        x = c.move(
            "Reshape", x, [c.initializer(np.array(flat, np.int64), "shape")], {}, value, flat,
            ".flat",
        )  # fmt: skip
    factor = x.scale / (count if graph_facts.is_op(node, "ReduceMean") else 1)
    scaling, target = c.scaling(factor, x.largest * count, target, value)
    keep = graph_facts.attribute(node, "keepdims", 1)
    own = (*shape[: axes[0]], *((1,) if keep else ()), *shape[axes[-1] + 1 :])
    attributes = {
        "axis": axes[0], "zero_x": x.zero, "left": scaling.left, "right": scaling.right,
        **limits(target), "keep": keep,
    }  # fmt: skip
    inputs: list[Integer | ir.Value | None] = [
        x,
        c.initializer(scaling.multiplier, f"{value.name}.multiplier"),
    ]
    if own == result:
        return c.emit("Mean", inputs, attributes, value, target)
    made = c.emit("Mean", inputs, attributes, value, target, own, ".sum")
    c.roots[str(value.name)] = target.quantised
    return c.move("Reshape", made, [c.initializer(np.array(result, np.int64), "shape")], {}, value)
