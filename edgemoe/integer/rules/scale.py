"""A number times a positive constant: the same code in another scale."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import renamed
from edgemoe.integer.quantised import Quantised, Target

ORDER = 40


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Change what the codes mean, and no code."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Mul", "Div"):
        return None
    first, second = node.inputs
    factor = graph_facts.scalar_of(second)
    if factor is None and graph_facts.is_op(node, "Mul"):
        first, second = second, first
        factor = graph_facts.scalar_of(second)
    if factor is None or factor <= 0.0 or first is None or graph_facts.is_constant(first):
        return None
    if graph_facts.shape_of(first) != graph_facts.shape_of(value):
        return None
    if graph_facts.is_op(node, "Div"):
        factor = 1.0 / factor
    own = target.quantised
    wanted = Target(
        Quantised(own.dtype, own.scale / factor, own.zero_point), target.low, target.high
    )
    x = c.want(first, node, wanted)
    quantised = Quantised(x.quantised.dtype, x.scale * factor, x.zero)
    return renamed(x, quantised)
