"""The weighted sum of what a token's experts made."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import LARGEST_SUM, Integer, limits
from edgemoe.integer.products import at_most
from edgemoe.integer.quantised import Quantised, Target

ORDER = 30


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make y[t] = sum over k of weights[t, k] z[t k]."""
    node = value.producer()
    if node is None or graph_facts.kind_of(node) != "Combine":
        return None
    rows, weights = node.inputs[:2]
    assert rows is not None and weights is not None
    shape = graph_facts.shape_of(weights)
    assert shape is not None
    w = c.want(weights)
    z = _small_enough(c, rows, node, LARGEST_SUM // max(w.largest * shape[1], 1))
    scaling, target = c.scaling(z.scale * w.scale, z.largest * w.largest * shape[1], target, value)
    multiplier = c.initializer(scaling.multiplier, f"{value.name}.multiplier")
    attributes = {
        "zero_z": z.zero, "zero_w": w.zero, "left": scaling.left, "right": scaling.right,
        **limits(target),
    }  # fmt: skip
    return c.emit("Combine", [z, w, multiplier], attributes, value, target)


def _small_enough(c: Converter, rows: ir.Value, node: ir.Node, largest: int) -> Integer:
    """The rows, with codes of int16 no larger than `largest`: products with wide weights add up."""
    own = c.target(rows).quantised
    narrow = Quantised("int16", own.scale * max(1.0, 32767 / max(largest, 1)))
    target = Target(narrow, -largest, largest) if own.bits == 16 and largest < 32767 else None
    return at_most(c, c.want(rows, node, target), largest, rows)
