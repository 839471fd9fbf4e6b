from __future__ import annotations

import numpy as np
import pytest

from edgemoe.bfloat16 import to_bfloat16
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.panels import pack as packed_as
from edgemoe.weight_format import BF16, F16, F32

BIAS_GELU_RESIDUAL = ex.Apply(
    "Add",
    (
        ex.Apply("Gelu", (ex.Apply("Add", (ex.Port(), ex.Operand(0, "column"))),)),
        ex.Apply("Mul", (ex.Operand(1, "full"), ex.Operand(2, "row"))),
    ),
)


@pytest.fixture(scope="module")
def kernels(build):
    return build(
        {
            "fused": Linear(BIAS_GELU_RESIDUAL),
            "plain": Linear(ex.Port()),
            "bfloat16": Linear(ex.Port(), BF16),
            "float16": Linear(ex.Port(), F16),
        }
    )


def pack(weights, given=F32):
    return packed_as(weights, given)


def gelu(x):
    from math import erf

    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def data(rows, depth, columns, seed=0):
    chance = np.random.default_rng(seed)
    a = chance.standard_normal((rows, depth)).astype(np.float32)
    w = (chance.standard_normal((columns, depth)) / np.sqrt(depth)).astype(np.float32)
    return a, w


@pytest.mark.parametrize("rows", [1, 7, 12, 13, 49])
@pytest.mark.parametrize(("depth", "columns"), [(1, 1), (33, 31), (64, 32), (17, 70)])
def test_every_term_of_the_epilogue(kernels, rms, rows, depth, columns):
    a, w = data(rows, depth, columns)
    chance = np.random.default_rng(1)
    bias = chance.standard_normal(columns).astype(np.float32)
    residual = chance.standard_normal((rows, columns)).astype(np.float32)
    gate = chance.standard_normal(rows).astype(np.float32)
    out = np.full((rows, columns), np.nan, np.float32)
    tasks = Linear(ex.Port()).tasks(rows, columns)
    kernels["fused"](a, pack(w), out, bias, residual, gate, rows, depth, columns, 0, tasks)
    product = a.astype(np.float64) @ w.T + bias
    assert rms(out, gelu(product) + residual * gate[:, None]) < 1e-6


def test_result_in_the_place_of_the_residual(kernels):
    a, w = data(30, 20, 40)
    bias, gate = np.ones(40, np.float32), np.ones(30, np.float32)
    residual = np.random.default_rng(2).standard_normal((30, 40)).astype(np.float32)
    apart, together = np.empty_like(residual), residual.copy()
    tasks = Linear(ex.Port()).tasks(30, 40)
    kernels["fused"](a, pack(w), apart, bias, residual, gate, 30, 20, 40, 0, tasks)
    kernels["fused"](a, pack(w), together, bias, together, gate, 30, 20, 40, 0, tasks)
    np.testing.assert_array_equal(apart, together)


def test_bits_of_a_row_do_not_depend_on_the_others(kernels):
    a, w = data(97, 300, 65)
    packed = pack(w)
    whole = np.empty((97, 65), np.float32)
    tasks = Linear(ex.Port()).tasks(97, 65)
    kernels["plain"](a, packed, whole, 97, 300, 65, 0, tasks)
    for row in (0, 11, 12, 50, 96):
        one = np.empty((1, 65), np.float32)
        kernels["plain"](a[row].copy(), packed, one, 1, 300, 65, 0, Linear(ex.Port()).tasks(1, 65))
        np.testing.assert_array_equal(one[0], whole[row])


def test_tasks_are_independent(kernels):
    a, w = data(60, 40, 100)
    packed = pack(w)
    tasks = Linear(ex.Port()).tasks(60, 100)
    assert tasks == 2 * 4
    whole, parts = np.empty((60, 100), np.float32), np.full((60, 100), np.nan, np.float32)
    kernels["plain"](a, packed, whole, 60, 40, 100, 0, tasks)
    for task in reversed(range(tasks)):
        kernels["plain"](a, packed, parts, 60, 40, 100, task, task + 1)
    np.testing.assert_array_equal(whole, parts)


def test_nan_of_one_row_stays_in_its_row(kernels):
    a, w = data(5, 8, 40)
    a[2, 3] = np.nan
    out = np.empty((5, 40), np.float32)
    kernels["plain"](a, pack(w), out, 5, 8, 40, 0, Linear(ex.Port()).tasks(5, 40))
    assert np.isnan(out[2]).all() and np.isfinite(out[[0, 1, 3, 4]]).all()


def test_bfloat16_weights_multiply_exactly_what_was_stored(kernels, rms):
    a, w = data(9, 64, 48)
    stored = (to_bfloat16(w).astype(np.uint32) << 16).view(np.float32)
    out = np.empty((9, 48), np.float32)
    kernels["bfloat16"](a, pack(w, BF16), out, 9, 64, 48, 0, Linear(ex.Port()).tasks(9, 48))
    assert rms(out, a.astype(np.float64) @ stored.T) < 1e-6
    lost = rms(out, a.astype(np.float64) @ w.T)
    assert 1e-4 < lost < 4e-3  # 8 bits of significand: neither free nor worse than they are


def test_float16_weights_multiply_exactly_what_was_stored(kernels, rms):
    a, w = data(9, 64, 48)
    w[0] *= 1e-6  # numbers of float16 below its smallest normal one
    out = np.empty((9, 48), np.float32)
    kernels["float16"](a, pack(w, F16), out, 9, 64, 48, 0, Linear(ex.Port()).tasks(9, 48))
    assert rms(out, a.astype(np.float64) @ w.astype(np.float16).astype(np.float64).T) < 1e-6
    assert 1e-5 < rms(out[:, 1:], a.astype(np.float64) @ w[1:].T) < 5e-4


def test_bfloat16_rounds_to_nearest_even():
    # 1 + 2^-8 lies between 1 and 1 + 2^-7: even wins; just above it the larger one does.
    values = np.array([1.0, 1 + 2**-8, 1 + 2**-8 + 2**-20, -(1 + 3 * 2**-8), np.inf], np.float32)
    back = (to_bfloat16(values).astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(
        back, np.array([1.0, 1.0, 1 + 2**-7, -(1 + 2**-6), np.inf], np.float32)
    )
    assert np.isnan((to_bfloat16(np.array([np.nan])).astype(np.uint32) << 16).view(np.float32))[0]
