"""Understand experts that are computed for all tokens at once, in values of three axes.

A value of the body is expert-major [E, T, w] or token-major [T, E, w]. `BatchedBody` walks it and
calls a `Target`, which emits either rows for the chosen experts or scored blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_facts import ELEMENTWISE


class NotBatched(Exception):
    """The body is not understood; says what is in the way."""


@dataclass(frozen=True)
class Layout:
    """Where the experts are: axis 0 (expert-major) or axis 1 (token-major) of three."""

    expert_axis: int

    def shape(self, tokens: int, experts: int, width: int) -> tuple[int, int, int]:
        """Return the shape of a value."""
        first, second = (experts, tokens) if self.expert_axis == 0 else (tokens, experts)
        return first, second, width


@dataclass(frozen=True)
class Weight:
    """A constant [E, a, b]; `transposed` when the input width comes first."""

    value: ir.Value
    transposed: bool


class Target(Protocol):
    """Emits the pieces in another form; values come and go in that form."""

    def tokens(self, x: ir.Value) -> ir.Value:
        """Take x [T, w], the same for every expert."""

    def linear(self, node: ir.Node, rows: ir.Value, weight: Weight) -> ir.Value:
        """Multiply with the expert's own matrix."""

    def constant(self, value: ir.Value, per_expert: tuple[int, ...] | None) -> ir.Value:
        """Take a constant: per expert [E, *per_expert], or shared by all rows (None)."""

    def copy(self, node: ir.Node, operands: list[ir.Value | None], axis: int | None) -> ir.Node:
        """Copy an elementwise operator, or one along the last axis."""


@dataclass
class BatchedBody:
    """Walks from the result of the experts up to the tokens."""

    tokens: int
    experts: int
    target: Target
    _memo: dict[ir.Value, ir.Value] = field(default_factory=dict)

    def know(self, value: ir.Value, lifted: ir.Value) -> None:
        """Tell what `value` is in the target's form."""
        self._memo[value] = lifted

    def lift(self, value: ir.Value, layout: Layout) -> ir.Value:
        """Return `value` in the target's form.

        Raises:
            NotBatched: it is not computed expert by expert and row by row.
        """
        if value not in self._memo:
            self._memo[value] = self._lift(value, layout)
        return self._memo[value]

    def _lift(self, value: ir.Value, layout: Layout) -> ir.Value:
        node = value.producer()
        shape = graph_facts.shape_of(value)
        if node is None or shape is None:
            raise NotBatched(f"{value.name} does not depend on the expert")
        if graph_facts.is_op(node, "MatMul", "Einsum"):
            rows, weight, found = product_parts(node, self.experts)
            if found != layout:
                raise NotBatched(f"{node.name} changes the order of the axes")
            x = None if rows in self._memo else self.shared_tokens(rows)
            source = self.target.tokens(x) if x is not None else self.lift(rows, layout)
            return self.target.linear(node, source, weight)
        if shape[:2] != layout.shape(self.tokens, self.experts, 0)[:2] or len(shape) != 3:
            raise NotBatched(f"{node.name} changes the axes of tokens and experts")
        if graph_facts.is_op(node, *ELEMENTWISE):
            operands = [self._operand(v, layout) for v in node.inputs]
            return self.target.copy(node, operands, None).outputs[0]
        if graph_facts.is_op(node, "Split") and node.inputs[0] is not None:
            if graph_facts.axis_of(node, 0, 3) != 2:
                raise NotBatched(f"{node.name} splits tokens or experts")
            source = self.lift(node.inputs[0], layout)
            copy = self.target.copy(node, [source, *node.inputs[1:]], -1)
            for old, new in zip(node.outputs, copy.outputs, strict=True):
                self._memo[old] = new
            return self._memo[value]
        if graph_facts.is_op(node, "Slice") and node.inputs[0] is not None:
            return self._sliced(node, layout)
        raise NotBatched(f"{node.name} ({node.op_type}) in the body of the experts")

    def _sliced(self, node: ir.Node, layout: Layout) -> ir.Value:
        """Columns of a row; the axis is the last in the target's form as well."""
        source = node.inputs[0]
        axes = graph_facts.ints_of(node.inputs[3]) if len(node.inputs) > 3 else None
        if source is None or axes is None or [axis % 3 for axis in axes] != [2]:
            raise NotBatched(f"{node.name} (Slice) cuts tokens or experts")
        lifted = self.lift(source, layout)
        last = Emitter(node).ints(-1)
        operands = [lifted, *node.inputs[1:3], last, *node.inputs[4:]]
        return self.target.copy(node, operands, None).outputs[0]

    def _operand(self, value: ir.Value | None, layout: Layout) -> ir.Value | None:
        if value is None or not graph_facts.is_constant(value):
            return None if value is None else self.lift(value, layout)
        shape = graph_facts.shape_of(value) or ()
        padded = (1,) * (3 - len(shape)) + shape
        if padded[layout.expert_axis] == self.experts and padded[1 - layout.expert_axis] == 1:
            return self.target.constant(value, padded[2:])
        if padded[:2] == (1, 1):
            return self.target.constant(value, None)
        raise NotBatched(f"constant {value.name} differs from token to token")

    def shared_tokens(self, rows: ir.Value) -> ir.Value | None:
        """Return x [T, w] when `rows` holds x for every expert; proven by moving numbers."""
        shape = graph_facts.shape_of(rows)
        if shape is None:
            return None
        value: ir.Value | None = rows
        width = shape[-1]
        while value is not None:
            size = graph_facts.size_of(value)
            if size == self.tokens * width and _is_tiled(value, rows, self.tokens, width):
                return value
            node = value.producer()
            if node is None or not graph_facts.is_op(node, *graph_facts.MOVEMENTS):
                return None
            if any(not graph_facts.is_constant(v) for v in node.inputs[1:] if v is not None):
                return None
            value = node.inputs[0]
        return None


def _is_tiled(source: ir.Value, rows: ir.Value, tokens: int, width: int) -> bool:
    """Tell whether rows, broadcast over experts, are source [T, w] for each of them."""
    shape = graph_facts.shape_of(source)
    target = graph_facts.shape_of(rows)
    if shape is None or target is None:
        return False
    numbers = np.arange(tokens * width, dtype=np.int64)
    moved = constant_eval.evaluate([rows], {source: numbers.reshape(shape)})[0]
    return any(
        moved.ndim <= 3 and np.array_equal(np.broadcast_to(moved, (e, tokens, width)),
                                           np.broadcast_to(numbers.reshape(1, tokens, width),
                                                           (e, tokens, width)))
        for e in ({target[0]} if len(target) == 3 else {1})
    )  # fmt: skip


def product_parts(node: ir.Node, experts: int) -> tuple[ir.Value, Weight, Layout]:
    """Take apart a product of all rows with a constant [E, a, b].

    Raises:
        NotBatched: it is another product.
    """
    if graph_facts.is_op(node, "MatMul"):
        rows, weight = node.inputs
        shape = graph_facts.shape_of(weight)
        if rows is None or weight is None or not graph_facts.is_constant(weight):
            raise NotBatched(f"{node.name} is no product with constant weights")
        if shape is None or len(shape) != 3 or shape[0] != experts:
            raise NotBatched(f"{node.name} has weights {shape}, not one matrix per expert")
        return rows, Weight(weight, transposed=True), Layout(0)
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    operands, arrow, output = equation.partition("->")
    terms = operands.split(",")
    index = next((i for i, v in enumerate(node.inputs) if graph_facts.is_constant(v)), None)
    if not arrow or len(terms) != 2 or index is None or "." in equation or len(output) != 3:
        raise NotBatched(f"Einsum {equation!r} is no product with constant weights")
    rows, weight = node.inputs[1 - index], node.inputs[index]
    row, label = terms[1 - index], terms[index]
    if rows is None or weight is None or len(label) != 3:
        raise NotBatched(f"Einsum {equation!r} is no product with one matrix per expert")
    expert = label[0]
    inner = [c for c in label[1:] if c not in output]
    if expert not in output or len(inner) != 1 or row[-1:] != inner[0]:
        raise NotBatched(f"Einsum {equation!r} is no product with one matrix per expert")
    outer = label[2] if label[1] == inner[0] else label[1]
    if output[2] != outer or [c for c in row[:-1] if c in output] != [c for c in output[:2]
                                                                     if c in row]:  # fmt: skip
        raise NotBatched(f"Einsum {equation!r} orders its axes in another way")
    layout = Layout(output.index(expert))
    return rows, Weight(weight, transposed=label[1] == inner[0]), layout
