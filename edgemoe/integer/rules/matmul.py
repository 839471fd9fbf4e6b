"""Products of two activations; the second is int8, both have zero point 0."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import LARGEST_SUM, Integer, limits
from edgemoe.integer.products import at_most, change_scale
from edgemoe.integer.quantised import Quantised, Target, whole

ORDER = 60


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make a @ b as a times the rows of b transposed."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "MatMul"):
        return None
    first, second = node.inputs[:2]
    if first is None or second is None or graph_facts.is_constant(first):
        return None
    one, other = graph_facts.shape_of(first), graph_facts.shape_of(second)
    assert one is not None and other is not None
    if len(one) < 2 or len(other) < 2:
        return "one of its inputs is a vector"
    if one[:-2] != other[:-2]:
        return f"its stacks differ, {list(one[:-2])} and {list(other[:-2])}"
    a = _centred(c, c.want(first), value, ".a")
    b = _centred(c, c.want(second), value, ".b")
    if b.quantised.bits == 16:
        narrow = c.facts.scale(str(second.name), 8)
        if narrow.zero_point:
            narrow = Quantised("int8", b.scale * b.largest / 127)
        b = change_scale(c, b, whole(narrow), value, ".b8")
    order = [*range(len(other) - 2), len(other) - 1, len(other) - 2]
    turned = c.move(
        "Transpose", b, [], {"perm": order}, value, [other[axis] for axis in order], ".turned"
    )
    depth = one[-1]
    a = at_most(c, a, LARGEST_SUM // (depth * max(b.largest, 1)), value)
    scaling, target = c.scaling(a.scale * b.scale, depth * a.largest * b.largest, target, value)
    multiplier = c.initializer(scaling.multiplier, f"{value.name}.multiplier")
    attributes = {"left": scaling.left, "right": scaling.right, **limits(target)}
    return c.emit("MatMul", [a, turned, multiplier], attributes, value, target)


def _centred(c: Converter, x: Integer, value: ir.Value, suffix: str) -> Integer:
    """The same numbers with zero point 0."""
    if x.zero == 0:
        return x
    plain = Quantised("int8", x.scale * x.largest / 127)
    return change_scale(c, x, whole(plain), value, suffix)
