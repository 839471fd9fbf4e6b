"""Where the rows of an image lie in the tensors of a graph, and which rows an operator reads.

A convolution has them along axis 2. Transpositions, reshapes, products and functions of one number
carry them elsewhere:

    [1, C, H, W] -> Reshape -> [1, C, H W]: axis 2, `unit` W; -> Transpose -> [1, H W, C]: axis 1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.operator_table import DOMAIN

EACH = ("Table", "Curve", "ChangeScale", "Add", "Mul")
"""Operators of integer programs that compute every number by itself."""

_ALONG_LAST = ("Linear", "Norm", "Softmax")
_STANDARD = ("LayerNormalization", "RMSNormalization", "Softmax")


@dataclass(frozen=True)
class Layout:
    """`rows` rows of an image along `axis`, `unit` neighbours of that axis in each."""

    axis: int
    unit: int
    rows: int


@dataclass(frozen=True)
class Window:
    """How a convolution goes over rows: output y reads rows from y `step` - `pad` on."""

    step: int
    pad: int
    reach: int  # rows from the first to the last tap, both included

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Rows that outputs first <= y < last read, some may be outside of the image."""
        return first * self.step - self.pad, (last - 1) * self.step - self.pad + self.reach


def is_conv(node: ir.Node) -> bool:
    """Whether it is a convolution over an image."""
    named = graph_facts.is_op(node, "Conv") or (node.domain == DOMAIN and node.op_type == "Conv")
    shape = graph_facts.shape_of(node.inputs[0])
    explicit = graph_facts.text_attribute(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID")
    return named and explicit and shape is not None and len(shape) == 4


def window_of(node: ir.Node) -> Window:
    """The window of a convolution."""
    taps = (graph_facts.shape_of(node.inputs[1]) or ())[2]
    if node.domain == DOMAIN:
        step, pad, apart = (
            int(graph_facts.attribute(node, f"{name}_y", 1)) for name in ("step", "pad", "apart")
        )
    else:
        given = [node.attributes.get(name) for name in ("strides", "pads", "dilations")]
        step, pad, apart = (
            usual if a is None else int(a.as_ints()[0])
            for a, usual in zip(given, (1, 0, 1), strict=True)
        )
    return Window(step, pad, apart * (taps - 1) + 1)


def activations(node: ir.Node) -> Iterator[tuple[int, ir.Value]]:
    """Inputs that are no constants, with their places."""
    for place, value in enumerate(node.inputs):
        if value is not None and not graph_facts.is_constant(value):
            yield place, value


def layouts_of(graph: ir.Graph) -> dict[ir.Value, Layout]:
    """The layout of every tensor that convolutions reach by operators which are understood."""
    found: dict[ir.Value, Layout] = {}
    todo: list[ir.Value] = []

    def learn(value: ir.Value | None, layout: Layout | None) -> None:
        if value is not None and layout is not None and value not in found:
            found[value] = layout
            todo.append(value)

    for node in graph:
        if is_conv(node):
            for value in (node.inputs[0], node.outputs[0]):
                shape = graph_facts.shape_of(value)
                assert shape is not None
                learn(value, Layout(2, 1, shape[2]))
    while todo:
        value = todo.pop()
        near = [use.node for use in value.uses()]
        producer = value.producer()
        for node in [*near, *([producer] if producer is not None else [])]:
            others = [v for _, v in activations(node)] + [node.outputs[0]]
            for other in others:
                if other is not value:
                    learn(other, _carried(node, value, found[value], other))
    return found


def is_understood(node: ir.Node, layouts: dict[ir.Value, Layout]) -> bool:
    """Whether strips of the result of a node follow from strips of its inputs."""
    out = node.outputs[0]
    values = [v for _, v in activations(node)]
    if len(node.outputs) != 1 or out not in layouts or not values:
        return False
    if is_conv(node):
        return True
    return all(v in layouts and _carried(node, v, layouts[v], out) == layouts[out] for v in values)


def _carried(node: ir.Node, value: ir.Value, at: Layout, other: ir.Value) -> Layout | None:
    """The layout of another tensor of a node, which has the same rows."""
    one, two = graph_facts.shape_of(value), graph_facts.shape_of(other)
    if one is None or two is None or is_conv(node):
        return None
    own = node.domain == DOMAIN
    if graph_facts.is_op(node, "Transpose"):
        perm = [int(axis) for axis in node.attributes["perm"].as_ints()]
        there = perm.index(at.axis) if other is node.outputs[0] else perm[at.axis]
        return Layout(there, at.unit, at.rows)
    if graph_facts.is_op(node, "Reshape"):
        return _reshaped(one, at, two)
    if len(one) != len(two) or one[at.axis] != two[at.axis]:
        return None
    last = at.axis == len(one) - 1
    if own and node.op_type in EACH:
        return at if _constants_repeat(node, one, at.axis) else None
    if graph_facts.is_op(node, *graph_facts.ELEMENTWISE):
        return at if _constants_repeat(node, one, at.axis) else None
    if (own and node.op_type in _ALONG_LAST) or graph_facts.kind_of(node) == "Linear":
        return None if last else at
    if graph_facts.is_op(node, *_STANDARD):
        whole = graph_facts.axis_of(node, -1, len(one)) == len(one) - 1
        return at if whole and not last else None
    if graph_facts.kind_of(node) == "TokenMix":
        return at if last else None
    if graph_facts.is_op(node, "MatMul"):
        return at if last == _from_the_left(node) else None
    return None


def _from_the_left(node: ir.Node) -> bool | None:
    """Whether a product has a constant matrix on the left; None: it has none, or two."""
    constant = [graph_facts.is_constant(v) for v in node.inputs]
    matrix = graph_facts.shape_of(node.inputs[constant.index(True)]) if any(constant) else None
    return constant[0] if matrix is not None and len(matrix) == 2 and not all(constant) else None


def _constants_repeat(node: ir.Node, shape: tuple[int, ...], axis: int) -> bool:
    """Whether the constant operands of an elementwise operator are the same for all rows."""
    tables = node.domain == DOMAIN and node.op_type in ("Table", "Curve")
    for place, value in enumerate(node.inputs):
        extents = graph_facts.shape_of(value)
        if tables or value is None or not graph_facts.is_constant(value) or extents is None:
            continue
        if node.domain == DOMAIN and place > 1:  # a multiplier
            continue
        behind = len(shape) - axis
        if len(extents) >= behind and extents[len(extents) - behind] != 1:
            return False
    return True


def _reshaped(one: tuple[int, ...], at: Layout, two: tuple[int, ...]) -> Layout | None:
    before = int(np.prod(one[: at.axis]))
    for axis, extent in enumerate(two):
        same = int(np.prod(two[:axis])) == before
        if same and extent % at.rows == 0 and extent >= at.rows:
            return Layout(axis, extent // at.rows, at.rows)
    return None
