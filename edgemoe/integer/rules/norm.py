"""Layer and RMS normalisation of the last axes."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.errors import IntegerError
from edgemoe.integer.arithmetic import fixed
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer, limits
from edgemoe.integer.quantised import Target

ORDER = 30

WIDEST = 1 << 15
"""Numbers whose squares an int64 sums up with room to spare, and whose mean an int32 holds."""

COMPACT = 1024
"""More factors and biases than this are stored as int8 where the result is int8: the norm of a
plane has one for every place, and they would be a third of a mixer's flash."""


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make (x - mean) / sqrt(variance + epsilon) * gamma + beta, or the same without a mean."""
    node = value.producer()
    if not graph_facts.is_op(node, "LayerNormalization", "RMSNormalization") or node is None:
        return None
    if value.index() != 0 or any(o.uses() for o in node.outputs[1:]):
        return "its mean or deviation is read too"
    source, shape = node.inputs[0], graph_facts.shape_of(value)
    assert source is not None and shape is not None
    axis = graph_facts.axis_of(node, -1, len(shape))
    count = int(np.prod(shape[axis:]))
    gamma, beta = _parameters(node, count)
    if gamma is None or beta is None:
        return "its scale or bias is no constant of the normalised shape"
    centred = graph_facts.is_op(node, "LayerNormalization")
    if count > WIDEST:
        return f"it normalises {count} numbers at once, of {WIDEST} at most"
    x = c.want(source)
    flat = (*shape[:axis], count)
    if axis != len(shape) - 1:
        given = [c.initializer(np.array(flat, np.int64), "shape")]
        x = c.move("Reshape", x, given, {}, value, flat, ".flat")
    # e = d / 2^narrow has 16 bits, and is worth `unit`
    widest = (x.high - x.low) * count if centred else x.largest
    c.check_bound(max(abs(x.high), abs(x.low)) * count * 2 if centred else widest, value)
    narrow = max(0, widest.bit_length() - 15)
    if (widest + (1 << narrow >> 1)) >> narrow >= 2**15:
        narrow += 1
    unit = x.scale * 2.0**narrow / (count if centred else 1)
    epsilon = round(graph_facts.float_attribute(node, "epsilon", 1e-5) / unit**2)
    if epsilon >= 2**30:
        raise IntegerError(
            f"{value.name}: the input of the norm is so small that its epsilon is {epsilon:.3g} "
            "steps squared\n  next: calibration data in which this tensor is not almost zero"
        )
    # |t| <= sqrt(2 count), so that t * gamma + beta stays below 2^31
    room = 30 - math.ceil(math.log2(math.sqrt(2 * count) * (1 + 2.0**-12)))
    fraction = min(15, (room + 1) // 2)
    factors = gamma / (2.0**fraction * target.quantised.scale)
    compact = count > COMPACT and target.quantised.dtype == "int8"
    bits = min(7 if compact else 15, room - fraction)
    whole, right = fixed(factors, bits, 30)
    most = _beta_shift(beta / target.quantised.scale)
    if right > most:
        whole, right = fixed(factors, bits, most)
    shifted = np.rint(beta / target.quantised.scale * 2.0**right)
    reach = math.sqrt(2 * count) * (1 + 2.0**-12) * 2.0**fraction + 1
    c.check_bound(int(np.max(np.abs(whole) * reach + np.abs(shifted) * (1 + 2.0**-6))), value)
    stored = "int8" if compact else "int16"
    limit = np.iinfo(stored).max
    left = max(0, math.ceil(math.log2(max(float(np.abs(shifted).max()), 1.0) / limit)))
    beta_codes = np.clip(np.rint(shifted / 2.0**left), -limit, limit)
    inputs: list[Integer | ir.Value | None] = [
        x, c.initializer(whole.astype(stored), f"{value.name}.gamma"),
        c.initializer(beta_codes.astype(stored), f"{value.name}.beta"),
    ]  # fmt: skip
    attributes = {
        "centred": int(centred), "zero_x": x.zero, "narrow": narrow, "epsilon": epsilon,
        "fraction": fraction, "right": right, "beta_left": left, **limits(target),
    }  # fmt: skip
    if axis == len(shape) - 1:
        return c.emit("Norm", inputs, attributes, value, target)
    made = c.emit("Norm", inputs, attributes, value, target, flat, ".rows")
    c.roots[str(value.name)] = target.quantised
    back = [c.initializer(np.array(shape, np.int64), "shape")]
    return c.move("Reshape", made, back, {}, value)


def _beta_shift(beta: np.ndarray) -> int:
    """The most bits behind the point that leave a bias below 2^29."""
    largest = float(np.abs(beta).max(initial=0.0))
    return max(0, min(30, 29 - math.ceil(math.log2(largest)) if largest > 0 else 30))


def _parameters(node: ir.Node, count: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    found: list[np.ndarray | None] = []
    for place, default in ((1, 1.0), (2, 0.0)):
        given = node.inputs[place] if len(node.inputs) > place else None
        if given is None:
            found.append(np.full(count, default))
            continue
        array = graph_facts.array_of(given)
        usable = array is not None and array.size in (1, count)
        found.append(
            np.broadcast_to(array.reshape(-1), (count,)).astype(np.float64)
            if usable and array is not None else None
        )  # fmt: skip
    return found[0], found[1]
