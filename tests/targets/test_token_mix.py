"""`token_mix` against NumPy at odd sizes: every term, in place, tasks in any order."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest

from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import mix_tile
from edgemoe.targets.kernels.token_mix import TokenMix

BIAS = ex.Apply("Add", (ex.Port(), ex.Operand(0, "row")))
RESIDUAL = ex.Apply("Add", (ex.Operand(1, "full"), BIAS))
GATED = ex.Apply(
    "Mul",
    (ex.Operand(1, "full"), ex.Apply("Add", (ex.Apply("Gelu", (BIAS,)), ex.Operand(2, "column")))),
)
TWICE = ex.Apply("Mul", (BIAS, ex.Apply("Sigmoid", (BIAS,))))
SPECS = {
    "plain": TokenMix(ex.Port()),
    "residual": TokenMix(RESIDUAL),
    "gated": TokenMix(GATED),
    "twice": TokenMix(TWICE),
    "of 33": TokenMix(ex.Port(), depth=33),
}
SIZES = [(1, 1, 1, 32), (2, 7, 5, 33), (3, 13, 32, 64), (1, 49, 9, 70), (2, 12, 17, 129)]


@pytest.fixture(scope="module")
def kernels(build):
    return build(SPECS)


def data(batch, rows, depth, channels):
    chance = np.random.default_rng(batch + rows)
    w = (chance.standard_normal((rows, depth)) / np.sqrt(depth)).astype(np.float32)
    x = chance.standard_normal((batch, depth, channels)).astype(np.float32)
    return w, x


def run(kernels, name, w, x, out, *operands):
    batch, depth, channels = x.shape
    tasks = SPECS[name].tasks(batch, len(w), channels)
    for task in reversed(range(tasks)):  # in any order, one at a time
        kernels[name](w, x, out, *operands, len(w), depth, channels, task, task + 1)
    return out


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


@pytest.mark.parametrize(("batch", "rows", "depth", "channels"), SIZES)
def test_every_term(kernels, rms, batch, rows, depth, channels):
    w, x = data(batch, rows, depth, channels)
    chance = np.random.default_rng(1)
    bias = chance.standard_normal((rows, 1)).astype(np.float32)
    full = chance.standard_normal((batch, rows, channels)).astype(np.float32)
    column = chance.standard_normal(channels).astype(np.float32)
    product = np.einsum("mk,bkn->bmn", w.astype(np.float64), x)

    def empty():
        return np.full((batch, rows, channels), np.nan, np.float32)

    assert rms(run(kernels, "plain", w, x, empty()), product) < 1e-6
    assert rms(run(kernels, "residual", w, x, empty(), bias, full), product + bias + full) < 1e-6
    wanted = full * (gelu(product + bias) + column)
    assert rms(run(kernels, "gated", w, x, empty(), bias, full, column), wanted) < 1e-6
    wanted = (product + bias) / (1 + np.exp(-(product + bias)))
    assert rms(run(kernels, "twice", w, x, empty(), bias), wanted) < 1e-6


def test_result_in_the_place_of_the_residual(kernels):
    w, x = data(2, 13, 20, 96)
    bias = np.ones((13, 1), np.float32)
    full = np.random.default_rng(2).standard_normal((2, 13, 96)).astype(np.float32)
    apart = run(kernels, "residual", w, x, np.empty_like(full), bias, full)
    together = full.copy()
    run(kernels, "residual", w, x, together, bias, together)
    np.testing.assert_array_equal(apart, together)


def test_only_what_is_read_before_the_result_may_give_its_place():
    assert SPECS["residual"].in_place(64) == [1]
    assert SPECS["residual"].in_place(70) == []  # columns are covered twice
    assert SPECS["gated"].in_place(64) == []  # read after the sums are stored


def test_bits_depend_neither_on_rows_nor_on_the_batch(kernels):
    w, x = data(3, 49, 33, 70)
    whole = run(kernels, "plain", w, x, np.empty((3, 49, 70), np.float32))
    known = run(kernels, "of 33", w, x, np.empty((3, 49, 70), np.float32))
    np.testing.assert_array_equal(known, whole)
    for row in (0, 11, 48):
        one = run(kernels, "plain", w[row : row + 1].copy(), x[1:2].copy(),
                  np.empty((1, 1, 70), np.float32))  # fmt: skip
        np.testing.assert_array_equal(one[0, 0], whole[1, row])


def test_what_is_added_first_leaves_the_epilogue():
    addends, rest = mix_tile.split_addends(GATED)
    assert [o.index for o in addends] == [0]
    assert mix_tile.split_addends(RESIDUAL) == (
        [ex.Operand(0, "row"), ex.Operand(1, "full")], ex.Port()
    )  # fmt: skip
    assert mix_tile.split_addends(TWICE)[1] == ex.Apply(
        "Mul", (ex.Port(), ex.Apply("Sigmoid", (ex.Port(),)))
    )
    assert rest == ex.Apply("Mul", (ex.Operand(1, "full"), GATED.arguments[1].__class__(
        "Add", (ex.Apply("Gelu", (ex.Port(),)), ex.Operand(2, "column"))
    )))  # fmt: skip
    # The product stands beside its biased self: nothing may be added first.
    lone = ex.Apply("Mul", (ex.Port(), BIAS))
    assert mix_tile.split_addends(lone) == ([], lone)
