"""Routers that renormalise: x / sum(x) over the chosen experts, in Q15."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.arithmetic import UNIT
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.quantised import Quantised, Target
from edgemoe.routing import normalised

ORDER = 30

SMALL = 1e-3
"""A smaller epsilon, next to probabilities, is there against 0 / 0 alone, which gives 0 here."""


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make shares of non-negative numbers."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Div"):
        return None
    found = normalised(value)
    if found is None:
        return None
    source, epsilon, _ = found
    if epsilon > SMALL:
        return f"it adds {epsilon} to the sum"
    x = c.want(source)
    shape = graph_facts.shape_of(source)
    if shape != graph_facts.shape_of(value):
        return "its shape changes"
    if x.low < x.zero:
        seen = c.facts.seen.get(str(source.name))
        if seen is None or seen.low < 0.0:
            return "it divides by a sum of numbers that may be negative"
        return "its numbers are not proven to be positive"
    shares = Target(Quantised("int16", 1 / UNIT), 0, UNIT - 1)
    return c.emit("Shares", [x], {"zero_x": x.zero}, value, shares)
