"""Functions of one number, however many operators they are made of: a table or a curve."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter, Integer
from edgemoe.integer.function_of_one import Function, function_of
from edgemoe.integer.quantised import Target

ORDER = 50

POINTS = (np.arange(513) - 256) * 128
"""The codes at which a curve has points."""


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make y = f(x) from a table of 256 results, or from straight lines."""
    found = function_of(value, c)
    if not isinstance(found, Function):
        return found
    x = c.want(found.leaf)
    quantised = target.quantised
    if x.quantised.bits == 8:
        codes = np.arange(-128, 128)
        values = np.clip(
            quantised.encode(found(x.quantised.decode(codes))), target.low, target.high
        )
        table = c.initializer(values.astype(quantised.dtype), f"{value.name}.table")
        return c.emit("Table", [x, table], {"bits": quantised.bits}, value, target)
    heights = np.nan_to_num(found(x.quantised.decode(POINTS)).astype(np.float64), nan=0.0)
    exact = np.clip(heights / quantised.scale + quantised.zero_point, target.low, target.high)
    # as many bits behind the point as an int16 has left
    spare = 7 if quantised.bits == 8 else 0
    points = np.clip(np.rint(exact * 2.0**spare), -32768, 32767).astype(np.int16)
    table = c.initializer(points, f"{value.name}.points")
    attributes = {"right": 7 + spare, "bits": quantised.bits}
    return c.emit("Curve", [x, table], attributes, value, target)


def is_unary(value: ir.Value) -> bool:
    """Tell whether a value comes from an elementwise operator."""
    node = value.producer()
    return graph_facts.is_op(node, *graph_facts.ELEMENTWISE)
