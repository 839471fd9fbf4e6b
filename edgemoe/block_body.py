"""Rebuild a block-masked feed-forward with the experts as an axis: every value is [T, E, ...].

Exporters leave the hidden layer flat, [T, E*d] or [B, L, E*d], or apart, [T, E, d].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter, derived_constant
from edgemoe.graph_facts import ELEMENTWISE, RESHAPES


class NotBlockWise(Exception):
    """The hidden layer mixes experts, or holds something that is not understood."""


@dataclass
class BlockBody:
    """Lifts values of the hidden layer to [T, E, d] in front of `emit`'s anchor."""

    emit: Emitter
    tokens: int
    experts: int
    width: int
    x: ir.Value | None = None
    weight_inputs: list[ir.Value] = field(default_factory=list)
    covered: list[str] = field(default_factory=list)
    _memo: dict[ir.Value, ir.Value] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, E, d)."""
        return self.tokens, self.experts, self.width

    def lift(self, value: ir.Value) -> ir.Value:
        """Return `value`, of T*E*d elements in this order, as [T, E, d].

        Raises:
            NotBlockWise: it is not computed expert by expert from x.
        """
        if value not in self._memo:
            self._memo[value] = self._lift(value)
        return self._memo[value]

    def _lift(self, value: ir.Value) -> ir.Value:
        node = value.producer()
        if node is None or graph_facts.size_of(value) != int(np.prod(self.shape)):
            raise NotBlockWise(f"{value.name} does not have one row per token and expert")
        self.covered.append(str(node.name))
        if graph_facts.is_op(node, *RESHAPES):
            assert node.inputs[0] is not None
            return self.lift(node.inputs[0])
        if graph_facts.is_op(node, "Gemm", "MatMul"):
            return self._up(node)
        if graph_facts.is_op(node, "Add"):
            for product, bias in (node.inputs, tuple(reversed(node.inputs))):
                matmul = graph_facts.made_by(product, "MatMul")
                if matmul is not None and graph_facts.is_constant(bias):
                    self.covered.append(str(matmul.name))
                    return self._up(matmul, bias)
        if graph_facts.is_op(node, *ELEMENTWISE):
            return self._elementwise(node)
        if graph_facts.is_op(node, "Split"):
            return self._half(node, value)
        raise NotBlockWise(f"{node.name} ({node.op_type}) is not computed expert by expert")

    def _elementwise(self, node: ir.Node) -> ir.Value:
        operands: list[ir.Value | None] = []
        for value in node.inputs:
            if value is not None and graph_facts.is_constant(value):
                operands.append(self._constant(value))
            else:
                operands.append(None if value is None else self.lift(value))
        attributes = {name: a.value for name, a in node.attributes.items()}
        return self._at(node).node(node.op_type, operands, attributes).outputs[0]

    def _constant(self, value: ir.Value) -> ir.Value:
        size = graph_facts.size_of(value)
        if size == 1:
            array = graph_facts.array_of(value)
            assert array is not None
            return value if array.ndim == 0 else self.emit.constant(array.reshape(()), "scalar")
        if size == self.experts * self.width:
            derived = self._derived(value, "blocks", self.shape[1:], lambda a: a)
            self.weight_inputs.append(derived)
            return derived
        raise NotBlockWise(f"constant {value.name} is shared between experts in an unknown way")

    def _up(self, node: ir.Node, bias: ir.Value | None = None) -> ir.Value:
        rows, weight, bias, flipped = linear_parts(node, bias)
        return self._block_up(node, rows, weight, bias, flipped, 0, self.experts * self.width)

    def _half(self, node: ir.Node, value: ir.Value) -> ir.Value:
        """A part of one product with several hidden layers side by side (gate and up)."""
        source = node.inputs[0]
        product = source.producer() if source is not None else None
        bias = None
        if product is not None and graph_facts.is_op(product, "Add"):
            bias = next((v for v in product.inputs if graph_facts.is_constant(v)), None)
            inner = next((v for v in product.inputs if graph_facts.made_by(v, "MatMul")), None)
            product = inner.producer() if inner is not None else None
        shape = graph_facts.shape_of(source)
        if product is None or shape is None or not graph_facts.is_op(product, "Gemm", "MatMul"):
            raise NotBlockWise(f"{node.name} splits something else than a product")
        if graph_facts.axis_of(node, 0, len(shape)) != len(shape) - 1:
            raise NotBlockWise(f"{node.name} splits the tokens")
        start = 0
        for output in node.outputs:
            if output is value:
                break
            start += (graph_facts.shape_of(output) or (0,))[-1]
        self.covered.append(str(product.name))
        rows, weight, bias, flipped = linear_parts(product, bias)
        size = self.experts * self.width
        return self._block_up(product, rows, weight, bias, flipped, start, size)

    def _block_up(
        self,
        node: ir.Node,
        rows: ir.Value,
        weight: ir.Value,
        bias: ir.Value | None,
        flipped: bool,
        start: int,
        size: int,
    ) -> ir.Value:
        """Emit BlockUp with rows start .. start+size of the flat weight [E*d, H] (or [H, E*d])."""
        hidden = (graph_facts.shape_of(rows) or (0,))[-1]
        x = graph_facts.before_reshapes(rows) if self.x is None else self.x
        if self.x is None:
            self.x = self.emit.reshape(_nearest(rows, (self.tokens, hidden)), self.tokens, hidden)
        elif not graph_facts.same_elements(rows, x):
            raise NotBlockWise(f"{node.name} reads other tokens than the rest")
        shape = (self.experts, self.width, hidden)

        def cut(a: np.ndarray) -> np.ndarray:
            return (a.T if flipped else a)[start : start + size].reshape(shape)

        whole = (size, hidden) == (graph_facts.shape_of(weight) or ())[:: -1 if flipped else 1]
        stem = "blocks" if whole else f"blocks.{start}"
        blocks = self._derived(weight, stem, shape, cut)
        self.weight_inputs.append(blocks)
        if bias is not None:
            bias = self._derived(
                bias, stem, shape[:2], lambda a: a.reshape(-1)[start : start + size]
            )
            self.weight_inputs.append(bias)
        return regions.block_up(self._at(node), self.x, blocks, bias)

    def _derived(
        self, value: ir.Value, suffix: str, shape: tuple[int, ...], function: object
    ) -> ir.Value:
        return derived(self.emit, value, suffix, shape, function)

    def _at(self, node: ir.Node) -> Emitter:
        emit = Emitter(self.emit.anchor)
        emit.origin = graph_facts.origin_of(node) or self.emit.origin
        return emit


def derived(
    emit: Emitter, value: ir.Value, suffix: str, shape: tuple[int, ...], function: object
) -> ir.Value:
    """Register `function(value)` as a weight of this shape under a name made from the original."""
    tensor = value.const_value
    assert tensor is not None and callable(function)
    return derived_constant(
        emit.graph, f"{value.name}.{suffix}", tensor.dtype, shape,
        lambda: np.asarray(function(tensor.numpy())).reshape(shape),
    )  # fmt: skip


def linear_parts(
    node: ir.Node, bias: ir.Value | None = None
) -> tuple[ir.Value, ir.Value, ir.Value | None, bool]:
    """Return (rows, weight, bias, whether the weight is [in, out]) of a Gemm or MatMul.

    Raises:
        NotBlockWise: it is no plain product of rows with a constant matrix.
    """
    rows, weight = node.inputs[0], node.inputs[1]
    flipped = True
    if rows is None or weight is None or len(graph_facts.shape_of(weight) or ()) != 2:
        raise NotBlockWise(f"{node.name} has no constant matrix")
    if not graph_facts.is_constant(weight) or graph_facts.is_constant(rows):
        raise NotBlockWise(f"{node.name} has no constant matrix")
    if graph_facts.is_op(node, "Gemm"):
        flipped = not graph_facts.attribute(node, "transB", 0)
        plain = graph_facts.float_attribute(node, "alpha", 1.0) == 1.0
        plain &= graph_facts.float_attribute(node, "beta", 1.0) == 1.0
        if not plain or graph_facts.attribute(node, "transA", 0):
            raise NotBlockWise(f"{node.name} scales or transposes")
        if len(node.inputs) > 2 and node.inputs[2] is not None:
            bias = node.inputs[2]
            if not graph_facts.is_constant(bias):
                raise NotBlockWise(f"{node.name} adds something that is not constant")
    return rows, weight, bias, flipped


def _nearest(value: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    from edgemoe.row_source import with_shape

    return with_shape(value, shape)
