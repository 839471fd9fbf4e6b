"""The operators of experts in an integer program, evaluated exactly in NumPy; see `operators`.

A slot is a pair of a token and one of its experts; those of a token are neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.integer.arithmetic import round_shift
from edgemoe.integer.operator_table import dtype_of, operator
from edgemoe.integer.operators import finish, linear, sums_of

Array = NDArray[Any]


@operator
def expert_linear(
    x: Array, ids: Array, w: Array, bias: Array, multiplier: Array, groups: Array | None = None, *,
    left: int, right: int, zero: int, low: int, high: int, bits: int, weight_bits: int = 8,
    shared: int = 1,
) -> Array:  # fmt: skip
    """Row s of the result is the `linear` of row s // shared of x with expert ids[s].

    w [E, N, K], bias and multiplier [E, N], groups [E, N, K / G], ids int32 or int64 [S]. An id
    outside 0..E-1 means nobody: the row is the zero point.
    """
    del weight_bits
    flat = ids.reshape(-1)
    result = np.full((len(flat), w.shape[1]), zero, dtype_of(bits))
    for expert in range(w.shape[0]):
        (rows,) = np.nonzero(flat == expert)
        if rows.size:
            result[rows] = linear(
                x.reshape(-1, x.shape[-1])[rows // shared], w[expert], bias[expert],
                multiplier[expert], None if groups is None else groups[expert],
                left=left, right=right, zero=zero, low=low, high=high, bits=bits,
            )  # fmt: skip
    return result


@operator
def active_ids(scores: Array, *, zero_x: int) -> Array:
    """Number e of every place [..., e] where the score is not zero, else -1; int32."""
    numbers = np.arange(scores.shape[-1], dtype=np.int32)
    return np.where(scores.astype(np.int64) != zero_x, numbers, np.int32(-1)).astype(np.int32)


@operator
def combine(
    z: Array, weights: Array, multiplier: Array, *, zero_z: int, zero_w: int, left: int, right: int,
    zero: int, low: int, high: int, bits: int,
) -> Array:  # fmt: skip
    """y[t] = sum over k of (weights[t, k] - zero_w) (z[t k] - zero_z), rescaled.

    z [T K, H], weights int8 or int16 [T, K].
    """
    tokens, chosen = weights.shape
    rows = z.reshape(tokens, chosen, -1).astype(np.int64) - zero_z
    sums = (rows * (weights.astype(np.int64) - zero_w)[..., None]).sum(1)
    return finish(sums, multiplier, left, right, zero, low, high, bits)


@operator
def weigh_rows(x: Array, weights: Array, *, zero_x: int, zero_w: int, right: int) -> Array:
    """y[s] = (x[s] - zero_x) (weights[s] - zero_w) / 2^right, int16 with zero point 0.

    x int8 or int16 [..., S, K], weights int8 or int16 with a number per row. No result is outside
    of int16: whoever chooses `right` proves it.
    """
    wide = weights.astype(np.int64).reshape(*x.shape[:-1], 1) - zero_w
    found = round_shift((x.astype(np.int64) - zero_x) * wide, right)
    assert found.size == 0 or np.abs(found).max() < 2**15
    return found.astype(np.int16)


@operator
def expert_sum(
    x: Array, ids: Array, weights: Array, w: Array, bias: Array, multiplier: Array,
    groups: Array | None = None, *, chosen: int, zero_w: int, shift: int, left: int, right: int,
    zero: int, low: int, high: int, bits: int, weight_bits: int = 8,
) -> Array:  # fmt: skip
    """y[t] = sum over the slots s of t of W x[s] + (weights[s] - zero_w) bias / 2^shift, rescaled.

    W and bias are those of expert ids[s], all with one scale per output, so that a token's experts
    are added up in int32 and rescaled once.

    Args:
        x: int8 or int16 [T chosen, K] with zero point 0, the weights already in it (`weigh_rows`).
        ids: int32 or int64 [T chosen]; outside 0..E-1 it is nobody, who adds nothing.
        weights: int8 or int16, a number per slot; only the bias is multiplied by them here.
        w: int8 codes [E, N, K].
        bias: int32 [E, N].
        multiplier: int32 [N].
        groups: int8 [E, N, K / G], factors of the sums over groups of G inputs, or None.
        chosen: slots of a token.
        zero_w: zero point of the weights.
        shift: of the bias.
        left: of the `Scaling`; so are right and what follows, see `linear`.
        right: of the `Scaling`.
        zero: zero point of the result.
        low: least result.
        high: largest result.
        bits: of the result, 8 or 16.
        weight_bits: how the codes are stored: 8, 4 or 2.
    """
    del weight_bits
    flat, shares = ids.reshape(-1), weights.reshape(-1).astype(np.int64) - zero_w
    sums = np.zeros((len(flat), w.shape[1]), np.int64)
    for expert in range(w.shape[0]):
        (rows,) = np.nonzero(flat == expert)
        if rows.size:
            own = bias[expert].astype(np.int64) * shares[rows][:, None]
            assert np.abs(own).max() < 2**31 - (1 << shift >> 1)
            found = sums_of(x[rows], w[expert], None if groups is None else groups[expert])
            sums[rows] = found + round_shift(own, shift)
    total = sums.reshape(-1, chosen, w.shape[1]).sum(1)
    return finish(total, multiplier, left, right, zero, low, high, bits)
