"""Softmax of the last axis; its scale is fixed, 1/256 or 2^-15."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.arithmetic import UNIT
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.quantised import Quantised, Target

ORDER = 30

WIDEST = 1024
SHARES8 = Quantised("int8", 1 / 256, -128)
SHARES16 = Quantised("int16", 1 / UNIT)


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make exp(x - max) / sum of them, from tables of exp."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Softmax") or node.inputs[0] is None:
        return None
    shape = graph_facts.shape_of(value)
    assert shape is not None
    if graph_facts.axis_of(node, -1, len(shape)) != len(shape) - 1:
        return "it is no softmax of the last axis"
    if shape[-1] > WIDEST:
        return f"it is {shape[-1]} wide, at most {WIDEST} numbers sum up"
    x = c.want(node.inputs[0])
    wide = target.quantised.bits == 16 or str(value.name) in c.facts.constraints.symmetric
    quantised = SHARES16 if wide else SHARES8
    steps = (1,) if x.quantised.bits == 8 else (256, 1)
    tables = [_exp(x.scale, step) for step in steps]
    names = [f"{value.name}.{name}" for name in ("coarse", "fine")]
    inputs: list[Integer | ir.Value | None] = [
        x,
        *(c.initializer(t, n) for t, n in zip(tables, names, strict=False)),
    ]
    made = Target(quantised, 0 if wide else -128, quantised.high)
    return c.emit("Softmax", inputs, {"bits": quantised.bits}, value, made)


def _exp(scale: float, step: int) -> np.ndarray:
    """exp(-d step scale) of d = 0..255 as int16 in Q15."""
    exact = np.exp(-np.arange(256) * step * scale) * UNIT
    table: np.ndarray = np.minimum(np.rint(exact), UNIT - 1).astype(np.int16)
    return table
