"""The operators of an integer program, evaluated exactly in NumPy.

A node of an integer graph has the domain `DOMAIN`, one of these names, its tensors as inputs (the
constants behind the others) and the keyword arguments as integer attributes. Tensors are int8,
int16 (always with zero point 0) or int32; `low` and `high` are the limits of the result, so that a
clipping activation costs nothing. What the numbers stand for is known where a graph is made
(`edgemoe.integer.convert`); here they are only integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.integer.arithmetic import inverse_root, rescale, round_shift, saturate, share_of
from edgemoe.integer.operator_table import dtype_of, operator

Array = NDArray[Any]


@operator
def linear(
    x: Array, w: Array, bias: Array, multiplier: Array, groups: Array | None = None, *,
    left: int, right: int, zero: int, low: int, high: int, bits: int, weight_bits: int = 8,
) -> Array:  # fmt: skip
    """y[..., n] = bias[n] + sum over k of x[..., k] w[n, k], rescaled per n.

    Args:
        x: int8 or int16 [..., K]; its zero point is part of the bias.
        w: int8 codes [N, K].
        bias: int32 [N].
        multiplier: int32 [N]; with `left`, `right` a `Scaling`.
        groups: int8 [N, K / G], factors of the sums over groups of G inputs, or None.
        left: of the `Scaling`.
        right: of the `Scaling`.
        zero: zero point of the result.
        low: least result.
        high: largest result.
        bits: of the result, 8 or 16.
        weight_bits: how the codes are stored: 8, 4 or 2.
    """
    del weight_bits
    sums = sums_of(x, w, groups) + bias
    return finish(sums, multiplier, left, right, zero, low, high, bits)


def sums_of(x: Array, w: Array, groups: Array | None) -> Array:
    """int64 sum over k of x[..., k] w[n, k], those of groups times their factors."""
    wide, codes = x.astype(np.float64), w.astype(np.float64)  # exact: every sum is below 2^53
    if groups is None:
        return np.rint(wide @ np.swapaxes(codes, -1, -2)).astype(np.int64)
    count = groups.shape[-1]
    size = w.shape[-1] // count
    parts = [
        np.rint(wide[..., g * size : (g + 1) * size]
                @ np.swapaxes(codes[..., g * size : (g + 1) * size], -1, -2)).astype(np.int64)
        * groups[..., g].astype(np.int64)
        for g in range(count)
    ]  # fmt: skip
    total: Array = np.sum(parts, axis=0)
    return total


def finish(
    sums: Array, multiplier: Array, left: int, right: int, zero: int, low: int, high: int, bits: int
) -> Array:
    """Sums rescaled, with a zero point, within limits, in a narrow dtype."""
    assert sums.size == 0 or np.abs(sums).max() < 2**31
    return saturate(rescale(sums, multiplier, left, right) + zero, low, high, dtype_of(bits))


@operator
def conv(
    x: Array, w: Array, bias: Array, multiplier: Array, *, groups: int, zero_x: int, height: int,
    width: int, step_y: int, step_x: int, apart_y: int, apart_x: int, pad_y: int, pad_x: int,
    left: int, right: int, zero: int, low: int, high: int, bits: int,
) -> Array:  # fmt: skip
    """y[b, n, v, u] = bias[n] + sum over a window of x w, rescaled per n; zero_x lies around x.

    x int8 or int16 [B, C, H, W], w int8 [N, C / groups, I, J], bias and multiplier int32 [N]; the
    result is [B, N, height, width]. Without H, I and height there is one axis. Taps are `apart`,
    windows a `step`, and the first begins `pad` in front of the input.
    """
    planar = x.reshape(*x.shape[:2], -1, x.shape[-1]).astype(np.float64)
    filters = w.reshape(*w.shape[:2], -1, w.shape[-1]).astype(np.float64)
    taps = filters.shape[2:]
    reach = [(height - 1) * step_y + apart_y * (taps[0] - 1) + 1,
             (width - 1) * step_x + apart_x * (taps[1] - 1) + 1]  # fmt: skip
    around = np.full((*planar.shape[:2], *np.maximum(
        reach, (pad_y + planar.shape[2], pad_x + planar.shape[3])
    )), float(zero_x))  # fmt: skip
    around[:, :, pad_y : pad_y + planar.shape[2], pad_x : pad_x + planar.shape[3]] = planar
    own, each = filters.shape[1], len(filters) // groups
    sums = np.zeros((len(planar), len(filters), height, width))
    for i in range(taps[0]):
        for j in range(taps[1]):
            rows = slice(i * apart_y, i * apart_y + (height - 1) * step_y + 1, step_y)
            columns = slice(j * apart_x, j * apart_x + (width - 1) * step_x + 1, step_x)
            seen = around[:, :, rows, columns]
            for g in range(groups):
                part = slice(g * each, (g + 1) * each)
                sums[:, part] += np.einsum(
                    "bcyx,nc->bnyx", seen[:, g * own : (g + 1) * own], filters[part, :, i, j]
                )
    total = np.rint(sums).astype(np.int64) + bias.reshape(-1, 1, 1)
    found = finish(total, multiplier.reshape(-1, 1, 1), left, right, zero, low, high, bits)
    return found.reshape(*found.shape[:2], *((height, width) if x.ndim == 4 else (width,)))


@operator
def mat_mul(
    a: Array, b: Array, multiplier: Array, *, left: int, right: int, zero: int, low: int,
    high: int, bits: int,
) -> Array:  # fmt: skip
    """y[..., m, n] = sum over k of a[..., m, k] b[..., n, k]; both have zero point 0, b is int8."""
    return finish(sums_of(a, b, None), multiplier, left, right, zero, low, high, bits)


@operator
def mat_mul_in_place(
    a: Array, b: Array, multiplier: Array, *, matrices: int, rows: int, columns: int, depth: int,
    matrix_a: int, row_a: int, group: int, matrix_b: int, column_b: int, depth_b: int, left: int,
    right: int, zero: int, low: int, high: int, bits: int,
) -> Array:  # fmt: skip
    """`mat_mul` of operands that lie elsewhere in larger tensors; the result is [matrices, M, N].

    With a and b as flat arrays, y[m, i, n] is the sum over k of a[m matrix_a + i row_a + k]
    b[(m / group) matrix_b + n column_b + k depth_b], rescaled: `group` matrices share one of b.
    """
    m = np.arange(matrices)[:, None, None]
    lines, inner = np.arange(max(rows, columns))[:, None], np.arange(depth)
    one = a.reshape(-1)[m * matrix_a + lines[:rows] * row_a + inner]
    other = b.reshape(-1)[m // group * matrix_b + lines[:columns] * column_b + inner * depth_b]
    return finish(sums_of(one, other, None), multiplier, left, right, zero, low, high, bits)


@operator
def place_rows(
    strip: Array, whole: Array | None = None, *, axis: int, begin: int, extent: int
) -> Array:
    """`whole` with the strip in its place along an axis; without it, a tensor of that extent.

    Of any dtype. What no strip has been placed in yet is 0 here, and anything on a device.
    """
    shape = (*strip.shape[:axis], extent, *strip.shape[axis + 1 :])
    found = np.zeros(shape, strip.dtype) if whole is None else whole.copy()
    place = [slice(None)] * axis + [slice(begin, begin + strip.shape[axis])]
    found[tuple(place)] = strip
    return found


@operator
def add(
    a: Array, b: Array, *, zero_a: int, zero_b: int, factor_a: int, factor_b: int, right: int,
    zero: int, low: int, high: int, bits: int,
) -> Array:  # fmt: skip
    """((a - zero_a) factor_a + (b - zero_b) factor_b) / 2^right + zero; shapes broadcast."""
    one = (a.astype(np.int64) - zero_a) * factor_a
    other = (b.astype(np.int64) - zero_b) * factor_b
    assert one.size == 0 or np.abs(one).max(initial=0) + np.abs(other).max(initial=0) < 2**31
    return saturate(round_shift(one + other, right) + zero, low, high, dtype_of(bits))


@operator
def mul(
    a: Array, b: Array, multiplier: Array, *, zero_a: int, zero_b: int, left: int, right: int,
    zero: int, low: int, high: int, bits: int,
) -> Array:  # fmt: skip
    """(a - zero_a) (b - zero_b), rescaled; shapes broadcast."""
    product = (a.astype(np.int64) - zero_a) * (b.astype(np.int64) - zero_b)
    return finish(product, multiplier, left, right, zero, low, high, bits)


@operator
def change_scale(
    x: Array, multiplier: Array, *, zero_x: int, left: int, right: int, zero: int, low: int,
    high: int, bits: int,
) -> Array:  # fmt: skip
    """The same numbers in another scale or width."""
    return finish(x.astype(np.int64) - zero_x, multiplier, left, right, zero, low, high, bits)


@operator
def table(x: Array, values: Array, *, bits: int) -> Array:
    """values[x + 128] for int8 x; values int8 or int16 [256]: any function of one number."""
    return values[x.astype(np.int64) + 128].astype(dtype_of(bits))


@operator
def curve(x: Array, values: Array, *, right: int, bits: int) -> Array:
    """A function of int16 x, by straight lines between 513 points.

    values int16 [513], at x = -32768, -32640, ..., 32768, times 2^(right - 7).
    """
    wide = x.astype(np.int64) + 32768
    place, part = wide >> 7, wide & 127
    low, high = values[place].astype(np.int64), values[place + 1].astype(np.int64)
    limit = 1 << (bits - 1)
    found = round_shift(low * 128 + (high - low) * part, right)
    return saturate(found, -limit, limit - 1, dtype_of(bits))


@operator
def mean(
    x: Array, multiplier: Array, *, axis: int, zero_x: int, left: int, right: int, zero: int,
    low: int, high: int, bits: int, keep: int,
) -> Array:  # fmt: skip
    """Sum over one axis, rescaled (the division by the extent is part of the factor)."""
    sums = (x.astype(np.int64) - zero_x).sum(axis, keepdims=bool(keep))
    return finish(sums, multiplier, left, right, zero, low, high, bits)


@operator
def norm(
    x: Array, gamma: Array, beta: Array, *, centred: int, zero_x: int, narrow: int, epsilon: int,
    fraction: int, right: int, zero: int, low: int, high: int, bits: int, beta_left: int = 0,
) -> Array:  # fmt: skip
    """Layer norm (`centred`) or RMS norm of the last axis.

    d is N x - sum(x), or x - zero_x; e = d / 2^narrow has 16 bits; v = mean(e^2) + epsilon;
    t = e / sqrt(v) with `fraction` bits behind the point; the result is
    (t gamma + beta 2^beta_left) / 2^right + zero. gamma and beta int8 or int16 [N].
    """
    wide = x.astype(np.int64)
    count = x.shape[-1]
    d = wide * count - wide.sum(-1, keepdims=True) if centred else wide - zero_x
    e = round_shift(d, narrow)
    assert e.size == 0 or np.abs(e).max() < 2**15
    v = np.maximum((e * e).sum(-1, keepdims=True) // count + epsilon, 1)
    inverse, c = inverse_root(v)
    t = round_shift(e * inverse, 30 - c - fraction)
    sums = t * gamma.astype(np.int64) + (beta.astype(np.int64) << beta_left)
    assert sums.size == 0 or np.abs(sums).max() < 2**31
    return saturate(round_shift(sums, right) + zero, low, high, dtype_of(bits))


@operator
def softmax(x: Array, coarse: Array, fine: Array | None = None, *, bits: int) -> Array:
    """Softmax of the last axis, at most 1024 wide.

    exp(-d) of d = max - x in Q15 is coarse[d] for int8 (int16 [256]), else
    coarse[d / 256] * fine[d % 256] (int16 [256] both). The result is int8 with scale 1/256 and
    zero point -128, or int16 with scale 2^-15.
    """
    d = x.max(-1, keepdims=True).astype(np.int64) - x
    if fine is None:
        e = coarse[d].astype(np.int64)
    else:
        e = round_shift(coarse[d >> 8].astype(np.int64) * fine[d & 255], 15)
    return _shares(e, bits)


def _shares(e: Array, bits: int) -> Array:
    """E / sum(e) for non-negative e below 2^15 whose sum is at least 2^14."""
    inverse, k = share_of(e.sum(-1, keepdims=True))
    shift = np.minimum(29 + k - (8 if bits == 8 else 15), 30)
    found = round_shift(e * inverse, shift)
    if bits == 8:
        return saturate(found - 128, -128, 127, "int8")
    return saturate(found, 0, 32767, "int16")


@operator
def shares(x: Array, *, zero_x: int) -> Array:
    """X / sum(x) over the last axis as int16 with scale 2^-15, for x >= zero_x.

    All are doubled until their sum has 15 bits; if all are 0 so are the shares.
    """
    e = x.astype(np.int64) - zero_x
    total = e.sum(-1, keepdims=True)
    none = total == 0
    up = np.zeros_like(total)
    for _ in range(15):
        up = up + ((total << up) < 2**14)
    found = _shares(np.where(none, 1 << 14, e << up), 16)
    return np.where(none, 0, found).astype(np.int16)


@operator
def top_k(x: Array, *, k: int) -> tuple[Array, Array]:
    """The k largest of the last axis, largest first, of equal ones the first; ids are int32."""
    order = np.argsort(-x.astype(np.int64), axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, order, -1), order.astype(np.int32)
