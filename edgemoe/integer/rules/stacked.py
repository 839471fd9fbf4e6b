"""A stack of products, each with a constant matrix of its own: experts that are chosen by place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import constant_product
from edgemoe.integer.quantised import Target

ORDER = 25

Array = NDArray[Any]


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make x[g] W[g] for every g (block-diagonal layers), x [..., G, M, K], W [G, K, N]."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "MatMul"):
        return None
    source, weight = node.inputs[:2]
    if source is None or weight is None or not graph_facts.is_constant(weight):
        return None
    before, shape = graph_facts.shape_of(source), graph_facts.shape_of(weight)
    result = graph_facts.shape_of(value)
    if before is None or shape is None or result is None or len(shape) < 3:
        return None
    lead = math.prod(shape[:-3])
    if lead != 1 or len(before) < 3 or before[-3] != shape[-3] or len(shape) > len(before):
        return "its matrices and its rows are no equal stacks"
    groups, rows, depth = before[-3:]
    outer = math.prod(before[:-3])
    ids = np.tile(np.repeat(np.arange(groups, dtype=np.int32), rows), outer)

    def matrix(group: int) -> Array:
        stack = graph_facts.array_of(weight)
        assert stack is not None
        return np.ascontiguousarray(stack.reshape(shape[-3:])[group].T)

    flat = (outer * groups * rows, depth)
    shaped = [c.initializer(np.array(flat, np.int64), "shape")]
    x = c.move("Reshape", c.want(source), shaped, {}, value, flat, ".rows")
    made = constant_product(
        c, value, target, x, str(weight.name), matrix, np.zeros((groups, shape[-1])),
        experts=groups, ids=c.initializer(ids, f"{value.name}.ids"),
        shape=(flat[0], shape[-1]), suffix=".stack",
    )  # fmt: skip
    c.roots[str(value.name)] = made.quantised
    back = [c.initializer(np.array(result, np.int64), "shape")]
    return c.move("Reshape", made, back, {}, value)
