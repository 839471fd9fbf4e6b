"""Integer products with constant weights: codes, biases, and the bound that no sum exceeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import LARGEST_SUM, Integer, limits
from edgemoe.integer.quantised import Quantised, Target
from edgemoe.integer.weights import WeightCodes
from edgemoe.weight_format import I8

Array = NDArray[Any]

BIAS_BITS = 28
"""A bias takes at most this many bits of a sum; weights of an output get larger scales for it."""


def constant_product(
    c: Converter,
    value: ir.Value,
    target: Target,
    x: Integer,
    weight: str,
    rows: Callable[[int], Array],
    bias: Array,
    *,
    experts: int = 0,
    ids: ir.Value | None = None,
    shared: int = 1,
    shape: tuple[int, ...] | None = None,
    suffix: str = "",
) -> Integer:
    """Emit `Linear`, or `ExpertLinear` where `experts` is not 0.

    Args:
        c: the conversion.
        value: what is made.
        target: its scale.
        x: the activations [..., K].
        weight: the name of the weight, which its format is found by.
        rows: expert -> float [N, K] (expert 0 where there are none).
        bias: float [N], or [E, N].
        experts: how many experts there are.
        ids: int32 [S], the expert of each row.
        shared: rows in a row that read the same row of x.
        shape: of the result, where it is not that of `value`.
        suffix: where this is not the last node that makes `value`.
    """
    given = c.formats.get(weight, I8)
    biases = bias.reshape(max(experts, 1), -1).astype(np.float64)
    parts: list[WeightCodes] = []
    for expert in range(max(experts, 1)):
        least = float(np.abs(biases[expert]).max(initial=0.0)) / (x.scale * 2.0**BIAS_BITS)
        parts.append(
            c.facts.codes(weight, expert, lambda e=expert: rows(e), given, least)  # type: ignore[misc]
        )
    sums = max(float(np.abs(part.grouped()).sum(1).max(initial=0.0)) for part in parts)
    x = at_most(c, x, int((LARGEST_SUM - 2 ** (BIAS_BITS + 1)) // max(sums, 1.0)), value)
    whole_biases, factors, bound = [], [], 0
    for part, own in zip(parts, biases, strict=True):
        real = x.scale * part.scales
        grouped = part.grouped()
        number = np.rint(own / real) - x.zero * grouped.sum(1)
        largest = np.abs(grouped).sum(1) * max(abs(x.low), abs(x.high)) + np.abs(number)
        bound = max(bound, int(largest.max(initial=0.0)))
        whole_biases.append(number)
        factors.append(real)
    scaling, target = c.scaling(np.stack(factors), bound, target, value)
    stacked = (lambda arrays: np.stack(arrays)) if experts else (lambda arrays: arrays[0])
    inputs = [
        c.weight(stacked([p.codes for p in parts]), weight, given),
        c.initializer(stacked(whole_biases).astype(np.int32), f"{value.name}.bias"),
        c.initializer(
            scaling.multiplier if experts else scaling.multiplier[0], f"{value.name}.multiplier"
        ),
    ]  # fmt: skip
    if parts[0].factors is not None:
        inputs.append(c.initializer(stacked([p.factors for p in parts]), f"{weight}.groups"))
    attributes = {
        "left": scaling.left, "right": scaling.right, **limits(target),
        "weight_bits": 2 if given.kind == "ternary" else given.bits,
    }  # fmt: skip
    if not experts:
        return c.emit("Linear", [x, *inputs], attributes, value, target, shape, suffix)
    attributes["shared"] = shared
    return c.emit("ExpertLinear", [x, ids, *inputs], attributes, value, target, shape, suffix)


def at_most(c: Converter, x: Integer, largest: int, value: ir.Value) -> Integer:
    """The same numbers with codes no larger than `largest`, where an int16 would overflow a sum."""
    if max(abs(x.low), abs(x.high)) <= largest or x.quantised.bits == 8:
        return x
    quantised = Quantised("int16", x.scale * 32767 / largest)
    narrow = Target(quantised, -largest, largest)
    return change_scale(c, x, narrow, value, ".narrow")


def change_scale(
    c: Converter, x: Integer, target: Target, value: ir.Value, suffix: str = ""
) -> Integer:
    """The same numbers in another scale or width."""
    if x.quantised == target.quantised and x.low >= target.low and x.high <= target.high:
        return x
    scaling, target = c.scaling(x.scale, x.largest, target, value)
    multiplier = c.initializer(scaling.multiplier, f"{value.name}{suffix}.multiplier")
    attributes = {
        "zero_x": x.zero, "left": scaling.left, "right": scaling.right, **limits(target),
    }  # fmt: skip
    shape = tuple(x.value.shape or ())
    return c.emit("ChangeScale", [x, multiplier], attributes, value, target, shape, suffix)  # type: ignore[arg-type]


def renamed(x: Integer, quantised: Quantised) -> Integer:
    """The same codes with another meaning."""
    return replace(x, quantised=quantised)
