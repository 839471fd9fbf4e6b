"""A choice between two tensors by a mask, such as that of causal attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import change_scale
from edgemoe.integer.quantised import Target, whole
from edgemoe.integer.ranges import Seen, is_float, scale_of

ORDER = 75

HIDDEN = -1e4
"""What is less than this, next to logits, hides them from a softmax."""

DEPTH = 12.0
"""exp(-12) is less than half a step of Q15: so far below all others, a logit has no share."""


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make both sides in one scale and choose between codes."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Where") or not is_float(value):
        return None
    condition, *sides = node.inputs
    assert condition is not None
    hides = [_hides(side) for side in sides]
    if any(hides):
        open_side = sides[hides.index(False)] if not all(hides) else None
        if open_side is None or graph_facts.is_constant(open_side):
            return "both sides are constants"
        target = _with_room(c, open_side, target)
    made: list[Integer] = []
    for side, hidden, name in zip(sides, hides, (".yes", ".no"), strict=True):
        assert side is not None
        if hidden:
            code = np.full((1,) * 0, target.low, target.quantised.dtype)
            made.append(Integer(c.initializer(code, f"{side.name}.hidden"), target.quantised, 0, 0))
        elif graph_facts.is_constant(side):
            made.append(c.constant(side, target.quantised))
        else:
            made.append(change_scale(c, c.want(side, node, target), target, side, name))
    mask = c.want_other(condition)
    c.roots[str(value.name)] = target.quantised
    first = replace(made[0], value=mask)  # `move` puts its first argument first
    found = c.move("Where", first, [made[0].value, made[1].value], {}, value)
    return Integer(found.value, target.quantised, target.low, target.high)


def _hides(side: ir.Value | None) -> bool:
    array = graph_facts.array_of(side)
    return array is not None and array.size == 1 and float(array.reshape(-1)[0]) < HIDDEN


def _with_room(c: Converter, side: ir.Value, target: Target) -> Target:
    """A scale for the open side in which the least code is far below everything."""
    seen = c.facts.seen.get(str(side.name), Seen())
    room = Seen(seen.low - DEPTH, seen.high, seen.count, 0, seen.kept)
    bits = target.quantised.bits
    if bits == 8:
        room.kept = room.kept[:0]  # the whole range: clipping it would uncover what is hidden
    return whole(scale_of(room, bits))
