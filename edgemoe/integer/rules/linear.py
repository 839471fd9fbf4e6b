"""Products with a constant matrix, and the bias behind them.

The constant at the left (token mixing, W @ x) becomes transpose, linear, transpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import constant_product
from edgemoe.integer.quantised import Target

ORDER = 20

Array = NDArray[Any]


@dataclass(frozen=True)
class Product:
    """x times a constant: `rows` float [N, K]; `left` says that the constant stands at the left."""

    x: ir.Value
    weight: ir.Value
    turned: bool  # the constant lies as [K, N]
    left: bool
    bias: Array  # float [N]
    scale: float = 1.0

    def rows(self) -> Array:
        """Float [N, K]."""
        array = graph_facts.array_of(self.weight)
        assert array is not None
        flat = array.reshape(array.shape[-2:]) * self.scale
        return np.ascontiguousarray(flat.T if self.turned else flat)


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make x W + b or W x + b."""
    found = product_of(value)
    if not isinstance(found, Product):
        return found
    x = c.want(found.x)
    name = str(found.weight.name)
    shape = graph_facts.shape_of(value)
    assert shape is not None
    if not found.left:
        return constant_product(
            c, value, target, x, name, lambda e: found.rows(), found.bias, shape=shape
        )
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    before = graph_facts.shape_of(found.x)
    assert before is not None
    turned = c.move(
        "Transpose", x, [], {"perm": order}, value, [before[axis] for axis in order], ".turned"
    )
    made = constant_product(
        c, value, target, turned, name, lambda e: found.rows(), found.bias,
        shape=tuple(shape[axis] for axis in order), suffix=".rows",
    )  # fmt: skip
    c.roots[str(value.name)] = made.quantised
    return c.move("Transpose", made, [], {"perm": order}, value, shape)


def product_of(value: ir.Value) -> Product | str | None:
    """Recognise a product with a constant, with or without a bias behind it."""
    node = value.producer()
    if graph_facts.is_op(node, "Add") and node is not None:
        for first, second in (node.inputs, tuple(reversed(node.inputs))):
            if first is None or not graph_facts.is_constant(second):
                continue
            inner = _plain(first)
            if isinstance(inner, Product) and graph_facts.only_user(first) is node:
                return _biased(inner, value, second)
        return None
    return _plain(value)


def _biased(inner: Product, value: ir.Value, bias: ir.Value | None) -> Product | None:
    shape, array = graph_facts.shape_of(value), graph_facts.array_of(bias)
    if shape is None or array is None or array.ndim > len(shape) or array.ndim > 8:
        return None
    axis = len(shape) - 2 if inner.left else len(shape) - 1
    full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    others = [extent for place, extent in enumerate(full.shape) if place != axis]
    if any(extent != 1 for extent in others):
        return None
    own = np.broadcast_to(full.reshape(-1), (shape[axis],)).astype(np.float64)
    return Product(inner.x, inner.weight, inner.turned, inner.left, inner.bias + own, inner.scale)


def _plain(value: ir.Value) -> Product | str | None:
    node = value.producer()
    if graph_facts.is_op(node, "Gemm") and node is not None:
        return _gemm(node)
    if node is None or not graph_facts.is_op(node, "MatMul"):
        return None
    first, second = node.inputs[:2]
    if first is None or second is None:
        return None
    one, other = graph_facts.shape_of(first), graph_facts.shape_of(second)
    if one is None or other is None:
        return None
    if graph_facts.is_constant(second) and not graph_facts.is_constant(first):
        if len(other) < 2 or any(extent != 1 for extent in other[:-2]) or len(other) > len(one):
            return None if len(other) > 2 else f"{second.name} is a vector"
        return Product(first, second, True, False, np.zeros(other[-1]))
    if graph_facts.is_constant(first) and not graph_facts.is_constant(second):
        if len(one) < 2 or any(e != 1 for e in one[:-2]) or len(one) > len(other):
            return f"{first.name} is a stack of matrices or a vector"
        return Product(second, first, False, True, np.zeros(one[-2]))
    return None


def _gemm(node: ir.Node) -> Product | str | None:
    x, weight = node.inputs[:2]
    if x is None or weight is None or not graph_facts.is_constant(weight):
        return None
    if graph_facts.attribute(node, "transA", 0) or graph_facts.is_constant(x):
        return "the first matrix of the Gemm is turned or constant"
    shape = graph_facts.shape_of(weight)
    assert shape is not None
    turned = not graph_facts.attribute(node, "transB", 0)
    bias = np.zeros(shape[1 if turned else 0])
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        array = graph_facts.array_of(node.inputs[2])
        if array is None or (array.ndim > 1 and array.shape[0] != 1):
            return "the bias of the Gemm is no constant row"
        bias = bias + array.reshape(-1) * graph_facts.float_attribute(node, "beta", 1.0)
    alpha = graph_facts.float_attribute(node, "alpha", 1.0)
    return Product(x, weight, turned, False, bias, alpha)
