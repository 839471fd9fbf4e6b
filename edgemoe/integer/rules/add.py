"""Sums and differences of two tensors, constants among them."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.errors import IntegerError
from edgemoe.integer.arithmetic import fixed
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer, at_least, limits
from edgemoe.integer.quantised import Target

ORDER = 70


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make a + b or a - b."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Add", "Sub"):
        return None
    first, second = node.inputs
    assert first is not None and second is not None
    a, b = c.want(first), c.want(second)
    sign = 1.0 if graph_facts.is_op(node, "Add") else -1.0
    # two products of at most 30 bits each
    bits = 30 - max(a.largest, b.largest, 1).bit_length()
    target = at_least(target, max(a.scale, b.scale) / 2.0 ** (bits - 1))
    scale = target.quantised.scale
    try:
        factors, right = fixed([a.scale / scale, sign * b.scale / scale], min(bits, 24), 30)  # type: ignore[arg-type]
    except ValueError as error:
        raise IntegerError(f"{value.name}: {error}") from error
    c.check_bound(int(abs(factors[0])) * a.largest + int(abs(factors[1])) * b.largest, value)
    attributes = {
        "zero_a": a.zero, "zero_b": b.zero, "factor_a": int(factors[0]),
        "factor_b": int(factors[1]), "right": right, **limits(target),
    }  # fmt: skip
    return c.emit("Add", [a, b], attributes, value, target)
