"""Rounding of activations to int8 as the integer kernels do it, in standard operators."""

from __future__ import annotations

from itertools import count

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter

SMALLEST = 1e-30
"""Groups of zeros stay zeros."""


def round_rows(emit: Emitter, x: ir.Value, group: ir.Value) -> ir.Value:
    """Round x [..., depth] to int8 with a scale for every `group` inputs of a row, and back.

    scale = max |x| / 127 over the group, x' = round(x / scale) * scale; a `group` [1] of 0 leaves x
    as it is, one of `depth` or more takes the whole row.
    """
    shape = graph_facts.shape_of(x)
    assert shape is not None and x.dtype is not None
    zero = emit.constant(np.zeros(1, np.int64))
    chosen = emit.op("Squeeze", emit.op("Greater", group, zero), zero)
    result = ir.Value(name=None, type=x.type, shape=x.shape)
    node = ir.node(
        "If", [chosen], outputs=[result],
        attributes={"then_branch": _rounded(x, group, shape), "else_branch": _as_it_is(x)},
    )  # fmt: skip
    emit.graph.insert_before(emit.anchor, node)
    return result


_numbers = count()


class _Branch:
    """Collects the nodes of a branch; it has no inputs, and reads what lies outside.

    No two branches share a name: what lies outside is visible inside.
    """

    def __init__(self) -> None:
        self.nodes: list[ir.Node] = []

    def op(
        self, op_type: str, *inputs: ir.Value, **attributes: int | ir.TensorProtocol
    ) -> ir.Value:
        result = ir.Value(name=f"rounded.{next(_numbers)}")
        self.nodes.append(ir.node(op_type, list(inputs), attributes=dict(attributes),
                                  outputs=[result]))  # fmt: skip
        return result

    def array(self, array: np.ndarray) -> ir.Value:
        return self.op("Constant", value=ir.tensor(array))

    def graph(self, result: ir.Value, name: str) -> ir.Graph:
        return ir.Graph([], [result], nodes=self.nodes, name=name)


def _as_it_is(x: ir.Value) -> ir.Graph:
    branch = _Branch()
    result = branch.op("Identity", x)
    result.type, result.shape = x.type, x.shape
    return branch.graph(result, "as_it_is")


def _rounded(x: ir.Value, group: ir.Value, shape: tuple[int, ...]) -> ir.Graph:
    branch = _Branch()
    depth = shape[-1]

    def ints(*values: int) -> ir.Value:
        return branch.array(np.array(values, np.int64))

    def number(value: float) -> ir.Value:
        return branch.op("CastLike", branch.array(np.array(value, np.float32)), x)

    size = branch.op("Min", group, ints(depth))
    rows = branch.op("Reshape", x, ints(-1, depth))
    over = branch.op("Mod", branch.op("Neg", ints(depth)), size)  # up to a whole group
    padded = branch.op("Pad", rows, branch.op("Concat", ints(0, 0, 0), over, axis=0))
    groups = branch.op("Reshape", padded, branch.op("Concat", ints(-1), size, axis=0))
    largest = branch.op("ReduceMax", branch.op("Abs", groups), ints(1), keepdims=1)
    scale = branch.op("Div", branch.op("Max", largest, number(SMALLEST)), number(127))
    codes = branch.op("Round", branch.op("Div", groups, scale))
    back = branch.op("Mul", codes, scale)
    rounded = branch.op("Concat", ints(-1), branch.op("Add", over, ints(depth)), axis=0)
    wide = branch.op("Reshape", back, rounded)
    kept = branch.op("Slice", wide, ints(0), ints(depth), ints(1))
    result = branch.op("Reshape", kept, ints(*shape))
    result.type, result.shape = x.type, x.shape
    return branch.graph(result, "rounded")
