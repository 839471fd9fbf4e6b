"""Make discrete Fourier transforms of fixed length matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each

LIMIT_BYTES = 64 << 20


@graph_pass(
    phase="canonicalise", after=("fold_constants", "fold_long_convolution"), exact="reassociation"
)
def expand_dft(model: ir.Model, context: PassContext) -> int:
    """Multiply by the matrix of the transform: signal and (re, im) axes together are one axis.

    Given:  y = DFT(x: f32[B,n,1])
    Result: y = Reshape(MatMul(Reshape(x, [B,n]), *M: f32[n,2k]), [B,k,2])
    """
    del context
    return rewrite_each(model, ("DFT",), _expand)


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x = node.inputs[0]
    shape = graph_facts.shape_of(x)
    if x is None or shape is None or x.dtype is None:
        return None
    rank = len(shape)
    axis = _constant(node, 2, -2)
    length = _constant(node, 1, shape[(axis or 0) % rank] if axis is not None else None)
    if axis is None or length is None:
        return None
    axis %= rank
    inverse = bool(graph_facts.attribute(node, "inverse", 0))
    onesided = bool(graph_facts.attribute(node, "onesided", 0))
    if inverse and onesided:
        if node.outputs[0].shape is None or node.outputs[0].shape[-1] != 1:
            return None  # opset 20 does not say what it is; exporters mean a real signal
        matrix = real_inverse_matrix(shape[axis], length)
    else:
        matrix = dft_matrix(shape[axis], shape[-1], length, inverse=inverse, onesided=onesided)
    parts = 1 if inverse and onesided else 2
    if matrix.size * 4 > LIMIT_BYTES:
        return None
    order = [a for a in range(rank) if a not in (axis, rank - 1)] + [axis, rank - 1]
    moved = x if order == sorted(order) else emit.op("Transpose", x, perm=order)
    lead = [shape[a] for a in order[:-2]]
    flat = emit.reshape(moved, *lead, shape[axis] * shape[-1])
    weight = emit.constant(matrix.astype(x.dtype.numpy()), "dft")
    y = emit.op("MatMul", flat, weight)
    y = emit.reshape(y, *lead, matrix.shape[1] // parts, parts)
    if order != sorted(order):
        y = emit.op("Transpose", y, perm=[order.index(a) for a in range(rank)])
    return [y]


def _constant(node: ir.Node, index: int, default: int | None) -> int | None:
    if len(node.inputs) <= index or node.inputs[index] is None:
        return default
    values = graph_facts.ints_of(node.inputs[index])
    return values[0] if values else None


def dft_matrix(size: int, parts: int, length: int, *, inverse: bool, onesided: bool) -> np.ndarray:
    """Return float64 [size * parts, 2 k]: row n*parts+c, column 2k+d of the real transform.

    X[k] = sum_n x[n] exp(-2 pi i k n / N), N = length; the inverse has +i and a factor 1/N.
    A signal longer than N is cut, a shorter one counts as padded with zeros.
    """
    count = length // 2 + 1 if onesided else length
    n, k = np.arange(size)[:, None], np.arange(count)[None, :]
    angle = 2 * np.pi * ((n * k) % length) / length
    cos, sin = np.cos(angle), np.sin(angle) * (1 if inverse else -1)
    cos, sin = (np.where(n < length, part, 0.0) for part in (cos, sin))
    if inverse:
        cos, sin = cos / length, sin / length
    matrix = np.zeros((size, parts, count, 2))
    matrix[:, 0, :, 0], matrix[:, 0, :, 1] = cos, sin
    if parts == 2:  # i * (cos + i sin) = -sin + i cos
        matrix[:, 1, :, 0], matrix[:, 1, :, 1] = -sin, cos
    return matrix.reshape(size * parts, count * 2)


def real_inverse_matrix(size: int, length: int) -> np.ndarray:
    """Return float64 [size * 2, N]: the real signal of a half spectrum, row 2k+d.

    x[n] = 1/N sum_k w_k (re X[k] cos - im X[k] sin), N = length; w is 1 for k = 0 and k = N/2, 2
    between: each frequency there stands for its mirror image as well.
    """
    k, n = np.arange(size)[:, None], np.arange(length)[None, :]
    weight = np.where((k == 0) | (2 * k == length), 1.0, 2.0) * (2 * k <= length) / length
    angle = 2 * np.pi * ((k * n) % length) / length
    return np.stack([weight * np.cos(angle), -weight * np.sin(angle)], 1).reshape(2 * size, length)
