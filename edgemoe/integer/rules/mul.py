"""Products of two tensors, element by element; a quotient by a constant is one too."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer, limits
from edgemoe.integer.quantised import Target
from edgemoe.integer.ranges import of_constant, scale_of

ORDER = 70


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make a * b, or a / constant."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Mul", "Div"):
        return None
    first, second = node.inputs
    assert first is not None and second is not None
    if graph_facts.is_op(node, "Div"):
        array = graph_facts.array_of(second)
        if array is None or not np.all(array):
            return "it divides by what is no constant, or 0"
        inverse = 1.0 / array.astype(np.float64)
        quantised = scale_of(of_constant(inverse), 16)
        codes = quantised.encode(inverse)
        made = c.initializer(codes, f"{second.name}.inverse")
        b = Integer(made, quantised, int(codes.min(initial=0)), int(codes.max(initial=0)))
        a = c.want(first)
    else:
        a, b = _operand(c, first), _operand(c, second)
    scaling, target = c.scaling(a.scale * b.scale, a.largest * b.largest, target, value)
    multiplier = c.initializer(scaling.multiplier, f"{value.name}.multiplier")
    attributes = {
        "zero_a": a.zero, "zero_b": b.zero, "left": scaling.left, "right": scaling.right,
        **limits(target),
    }  # fmt: skip
    return c.emit("Mul", [a, b, multiplier], attributes, value, target)


def _operand(c: Converter, value: ir.Value) -> Integer:
    """Constant factors have 16 bits: they are few, and what they lose is lost in every call."""
    array = graph_facts.array_of(value)
    if array is None:
        return c.want(value)
    return c.constant(value, scale_of(of_constant(array), 16))
