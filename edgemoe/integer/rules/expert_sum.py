"""The last product of experts with their weighted sum: added up in int32, rescaled once per token.

The weights go into the rows that the product reads, so that what the experts of a token make has
one scale: sum over k of w[k] (W x[k]) = sum over k of W (w[k] x[k]).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import LARGEST_SUM, Integer, limits
from edgemoe.integer.quantised import Quantised, Target
from edgemoe.integer.rules.expert_linear import Stack, stack_of
from edgemoe.integer.weights import WeightCodes
from edgemoe.weight_format import I8

ORDER = 28

Array = NDArray[Any]

DEEPEST = 4
"""Inputs per output of a product above which weighing its inputs costs more than its outputs."""

BIAS_BITS = 27
"""The weighted biases of a token's experts take at most this many bits of a sum."""


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make y[t] = sum over k of W[ids[t, k]] (w[t, k] x[t, k]) + w[t, k] b[ids[t, k]]."""
    node = value.producer()
    if node is None or graph_facts.kind_of(node) != "Combine":
        return None
    rows, weights = node.inputs[:2]
    assert rows is not None and weights is not None
    stack, shape = stack_of(rows.producer()), graph_facts.shape_of(weights)
    if not isinstance(stack, Stack) or shape is None or rows in c.made:
        return None  # the sum alone is another rule's
    depth, columns = stack.rows(0).shape[::-1]
    alone = graph_facts.only_user(rows) is node and not rows.is_graph_output()
    if (
        not alone
        or depth > DEEPEST * columns
        or graph_facts.kind_of(stack.source.producer()) == ("Dispatch")
    ):
        return None
    name, chosen = str(stack.weight.name), shape[1]
    given = c.formats.get(name, I8)
    parts = c.facts.common_codes(name, stack.experts, stack.rows, given)
    x, w = c.want(stack.source), c.want(weights)
    right, most = _weighing(x, w, parts, chosen)
    unit = x.scale * 2.0**right * _scales(parts)  # of a bias that a weight's code multiplies
    biases, shift = _biases(stack.biases / unit, w.largest, chosen)
    if shift < 0:
        return None  # the biases are larger than the products
    rows_shape = graph_facts.shape_of(stack.source)
    weighed = c.emit(
        "WeighRows", [x, w], {"zero_x": x.zero, "zero_w": w.zero, "right": right}, value,
        Target(Quantised("int16", x.scale * w.scale * 2.0**right), -most, most),
        rows_shape, ".weighed",
    )  # fmt: skip
    sums = max(float(np.abs(part.grouped()).sum(1).max(initial=0.0)) for part in parts)
    scaling, target = c.scaling(
        unit * w.scale, int(chosen * sums * most) + 2**BIAS_BITS, target, value
    )
    inputs: list[Integer | ir.Value | None] = [
        weighed, c.want_other(stack.ids), w,
        c.weight(np.stack([part.codes for part in parts]), name, given),
        c.initializer(biases.astype(np.int32), f"{value.name}.bias"),
        c.initializer(scaling.multiplier, f"{value.name}.multiplier"),
    ]  # fmt: skip
    if parts[0].factors is not None:
        factors = [part.factors for part in parts if part.factors is not None]
        inputs.append(c.initializer(np.stack(factors), f"{name}.groups"))
    attributes = {
        "chosen": chosen, "zero_w": w.zero, "shift": shift, "left": scaling.left,
        "right": scaling.right, **limits(target),
        "weight_bits": 2 if given.kind == "ternary" else given.bits,
    }  # fmt: skip
    return c.emit("ExpertSum", inputs, attributes, value, target)


def _weighing(x: Integer, w: Integer, parts: list[WeightCodes], chosen: int) -> tuple[int, int]:
    """The shift behind a row times its weight, and the largest code that is left.

    As many bits of an int16 as the sums over `chosen` experts leave room for in an int32.
    """
    sums = max(float(np.abs(part.grouped()).sum(1).max(initial=0.0)) for part in parts)
    room = min(32767, int((LARGEST_SUM - 2 ** (BIAS_BITS + 1)) // max(chosen * sums, 1.0)))
    reach, right = x.largest * w.largest, 0
    while (reach + (1 << right >> 1)) >> right > room:
        right += 1
    return right, max((reach + (1 << right >> 1)) >> right, 1)


def _scales(parts: list[WeightCodes]) -> Array:
    """The scales that all experts share, float64 [N]."""
    scales: Array = np.max([part.scales for part in parts], axis=0)
    return scales


def _biases(real: Array, largest: int, chosen: int) -> tuple[Array, int]:
    """Biases per code of a weight, times 2^shift, as integers; a negative shift: there is none."""
    reach = float(np.abs(real).max(initial=0.0)) * max(largest, 1)
    if reach == 0.0:
        return np.zeros(real.shape), 0
    if reach * chosen > 2.0 ** (BIAS_BITS - 1):
        return real, -1
    shift = min(30 - int(np.frexp(reach)[1]), 30)
    return np.rint(real * 2.0**shift), shift
