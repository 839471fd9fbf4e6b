"""Products with a constant matrix, however they are written, and the axis that each sums over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts


@dataclass(frozen=True)
class Product:
    """`y` is `x` with one axis of `inputs` places turned into one of `outputs`."""

    node: ir.Node
    x: ir.Value
    weight: ir.Value
    axis: int  # of x, counted from the front
    inputs: int
    outputs: int

    @property
    def result(self) -> ir.Value:
        """The product, before any bias that is a node of its own."""
        return self.node.outputs[0]


def product_of(node: ir.Node) -> Product | None:
    """Read a node as a product: MatMul from either side, Gemm, or a pointwise convolution."""
    if graph_facts.is_op(node, "MatMul"):
        return _matmul(node)
    if graph_facts.is_op(node, "Gemm"):
        return _gemm(node)
    return _pointwise(node) if graph_facts.is_op(node, "Conv") else None


def _matmul(node: ir.Node) -> Product | None:
    first, second = node.inputs
    shapes = graph_facts.shape_of(first), graph_facts.shape_of(second)
    if first is None or second is None or shapes[0] is None or shapes[1] is None:
        return None
    if graph_facts.is_constant(second) and len(shapes[1]) == 2 and len(shapes[0]) > 1:
        return Product(node, first, second, len(shapes[0]) - 1, *shapes[1])
    if graph_facts.is_constant(first) and len(shapes[0]) == 2 and len(shapes[1]) > 1:
        outputs, inputs = shapes[0]
        return Product(node, second, first, len(shapes[1]) - 2, inputs, outputs)
    return None


def _gemm(node: ir.Node) -> Product | None:
    x, weight = node.inputs[:2]
    shape = graph_facts.shape_of(weight)
    if x is None or weight is None or shape is None or not graph_facts.is_constant(weight):
        return None
    if graph_facts.attribute(node, "transA", 0):
        return None
    sizes = shape[::-1] if graph_facts.attribute(node, "transB", 0) else shape
    return Product(node, x, weight, 1, sizes[0], sizes[1])


def _pointwise(node: ir.Node) -> Product | None:
    x, weight = node.inputs[:2]
    shape, kernel = graph_facts.shape_of(x), graph_facts.shape_of(weight)
    if x is None or weight is None or shape is None or kernel is None:
        return None
    strides = node.attributes.get("strides")
    moves = strides is not None and any(s != 1 for s in strides.as_ints())
    if any(k != 1 for k in kernel[2:]) or moves or graph_facts.attribute(node, "group", 1) != 1:
        return None
    return Product(node, x, weight, 1, kernel[1], kernel[0])


def after_bias(value: ir.Value) -> ir.Value:
    """Follow the addition of constants downwards, while nobody else reads the value."""
    while (user := graph_facts.only_user(value)) is not None:
        if not graph_facts.is_op(user, "Add"):
            break
        if not graph_facts.is_constant(graph_facts.other_input(user, value)):
            break
        value = user.outputs[0]
    return value


def is_dft(product: Product, limit: int = 2048) -> bool:
    """Tell whether the matrix holds the cosines, sines, or both, of a Fourier transform.

    Both the square matrices of a model that multiplies by them and the interleaved ones
    [n * parts, 2 k] that a DFT was expanded to.
    """
    rows, columns = product.inputs, product.outputs
    if min(rows, columns) < 3 or max(rows, columns) > limit:
        return False
    matrix = graph_facts.array_of(product.weight)
    if matrix is None or matrix.shape != (rows, columns) or matrix.dtype.kind != "f":
        return False
    return any(_same_direction(matrix, each) for each in _transforms(rows, columns))


def _transforms(rows: int, columns: int) -> list[np.ndarray]:
    n, k = np.arange(rows)[:, None], np.arange(columns)[None, :]
    plain = 2 * np.pi * ((n * k) % rows) / rows
    found = [np.cos(plain), np.sin(plain)] if columns in (rows, rows // 2 + 1) else []
    for parts in (1, 2):
        size = rows // parts
        if rows % parts or columns not in (2 * size, 2 * (size // 2 + 1)):
            continue
        angle = 2 * np.pi * ((np.arange(size)[:, None] * np.arange(columns // 2)) % size) / size
        cos, sin = np.cos(angle), np.sin(angle)
        pair = np.zeros((size, parts, columns // 2, 2))
        for sign in (-1, 1):
            pair[:, 0, :, 0], pair[:, 0, :, 1] = cos, sign * sin
            if parts == 2:
                pair[:, 1, :, 0], pair[:, 1, :, 1] = -sign * sin, cos
            found.append(pair.reshape(rows, columns).copy())
    return found


def _same_direction(matrix: np.ndarray, wanted: np.ndarray) -> bool:
    """Tell whether the matrices are equal up to a factor."""
    scale = float((matrix * wanted).sum() / max(float((wanted * wanted).sum()), 1e-30))
    if scale == 0.0:
        return False
    return bool(np.allclose(matrix / scale, wanted, atol=1e-4))
