"""Convolutions that no pass has made a product: overlapping windows, groups, padding."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import LARGEST_SUM, Integer, limits
from edgemoe.integer.products import BIAS_BITS, at_most
from edgemoe.integer.quantised import Target
from edgemoe.weight_format import I8

ORDER = 20


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make Conv(x, W, b) over one or two axes, W constant, with int8 weights."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Conv"):
        return None
    source, weight, bias = (*node.inputs, None)[:3]
    array, shape = graph_facts.array_of(weight), graph_facts.shape_of(value)
    biases = graph_facts.array_of(bias)
    if source is None or weight is None or array is None or (bias is not None and biases is None):
        return "its weights are no constants"
    if shape is None or array.ndim not in (3, 4):
        return f"it has {array.ndim - 2} axes"
    if graph_facts.text_attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return "auto_pad leaves its padding to the runtime"
    x = c.want(source)
    own = np.zeros(len(array)) if biases is None else biases.astype(np.float64)
    least = float(np.abs(own).max(initial=0.0)) / (x.scale * 2.0**BIAS_BITS)
    rows = np.ascontiguousarray(array.reshape(len(array), -1))
    part = c.facts.codes(str(weight.name), 0, lambda: rows, I8, least)
    sums = np.abs(part.codes.astype(np.int64)).sum(1)
    x = at_most(
        c, x, int((LARGEST_SUM - 2 ** (BIAS_BITS + 1)) // max(int(sums.max(initial=0)), 1)), value
    )
    real = x.scale * part.scales
    number = np.rint(own / real) - x.zero * part.codes.astype(np.int64).sum(1)
    bound = int((sums * max(abs(x.low), abs(x.high)) + np.abs(number)).max(initial=0))
    scaling, target = c.scaling(real, bound, target, value)
    inputs: list[Integer | ir.Value | None] = [
        x,
        c.weight(part.codes.reshape(array.shape), str(weight.name), I8),
        c.initializer(number.astype(np.int32), f"{value.name}.bias"),
        c.initializer(scaling.multiplier, f"{value.name}.multiplier"),
    ]
    attributes = {
        **_window(node, array.ndim - 2), "groups": int(graph_facts.attribute(node, "group", 1)),
        "zero_x": x.zero, "left": scaling.left, "right": scaling.right, **limits(target),
    }  # fmt: skip
    sizes = (1, *shape[2:])[-2:]
    attributes |= {"height": sizes[0], "width": sizes[1]}
    return c.emit("Conv", inputs, attributes, value, target)


def _window(node: ir.Node, rank: int) -> dict[str, int]:
    """Steps, distances of taps and padding in front, of y and x."""
    found = {}
    for name, given, usual in (
        ("step", "strides", 1),
        ("apart", "dilations", 1),
        ("pad", "pads", 0),
    ):
        attribute = node.attributes.get(given)
        values = [usual] * rank if attribute is None else list(attribute.as_ints())[:rank]
        found[f"{name}_y"], found[f"{name}_x"] = [usual, *values][-2:]
    return found
