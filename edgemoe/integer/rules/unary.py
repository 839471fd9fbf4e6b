"""Functions of one number, however many operators they are made of: a table or a curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.integer import operators
from edgemoe.integer.converter import Converter
from edgemoe.integer.function_of_one import Function, function_of
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import change_scale
from edgemoe.integer.quantised import Target, whole
from edgemoe.integer.ranges import Seen, scale_of

ORDER = 50

Array = NDArray[Any]

CODES = np.arange(-128, 128)
POINTS = (np.arange(513) - 256) * 128
"""The codes at which a curve has points."""


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make y = f(x) from a table of 256 results, or from straight lines."""
    found = function_of(value, c)
    if not isinstance(found, Function):
        return found
    x = c.want(found.leaf)
    if x.quantised.bits == 8:
        return _table(c, value, target, found, x)
    points, right = _points(found, x, target)
    seen = c.facts.seen.get(str(found.leaf.name), Seen())
    narrow = whole(scale_of(seen, 8))
    if seen.kept.size and _narrow_is_better(found, x, target, points, right, narrow, seen.kept):
        x = change_scale(c, x, narrow, value, ".narrow")
        return _table(c, value, target, found, x)
    made = c.initializer(points, f"{value.name}.points")
    attributes = {"right": right, "bits": target.quantised.bits}
    return c.emit("Curve", [x, made], attributes, value, target)


def _table(c: Converter, value: ir.Value, target: Target, found: Function, x: Integer) -> Integer:
    made = c.initializer(_results(found, x.quantised.decode(CODES), target), f"{value.name}.table")
    return c.emit("Table", [x, made], {"bits": target.quantised.bits}, value, target)


def _results(found: Function, numbers: Array, target: Target) -> Array:
    """F of real numbers as codes."""
    codes = np.clip(target.quantised.encode(found(numbers)), target.low, target.high)
    return codes.astype(target.quantised.dtype)


def _points(found: Function, x: Integer, target: Target) -> tuple[Array, int]:
    """Heights int16 [513], with as many bits behind the point as there is room, and the shift."""
    quantised = target.quantised
    heights = np.nan_to_num(found(x.quantised.decode(POINTS)).astype(np.float64), nan=0.0)
    exact = np.clip(heights / quantised.scale + quantised.zero_point, target.low, target.high)
    spare = 7 if quantised.bits == 8 else 0
    points = np.clip(np.rint(exact * 2.0**spare), -32768, 32767).astype(np.int16)
    return points, 7 + spare


def _narrow_is_better(
    found: Function, x: Integer, target: Target, points: Array, right: int, narrow: Target,
    numbers: Array,
) -> bool:  # fmt: skip
    """Tell whether a steep function (1 / sqrt near 0) loses less as a table of 256 results."""
    quantised = target.quantised
    wanted = np.clip(found(numbers), quantised.decode(np.array(target.low)), None)
    curve = operators.curve(x.quantised.encode(numbers), points, right=right, bits=quantised.bits)
    codes = narrow.quantised.encode(numbers)
    table = _results(found, narrow.quantised.decode(codes), target)
    errors = [float(np.mean((quantised.decode(made) - wanted) ** 2)) for made in (curve, table)]
    return errors[1] < errors[0]
