"""`channel_mix` against NumPy: every term, in place, bits, bfloat16 weights."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest

from edgemoe.bfloat16 import to_bfloat16
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.channel_mix import ChannelMix
from edgemoe.targets.kernels.panels import pack_lines
from edgemoe.weight_format import BF16, F32

BIAS = ex.Apply("Add", (ex.Port(), ex.Operand(0, "column")))
RESIDUAL = ex.Apply("Add", (ex.Operand(1, "full"), BIAS))
GELU = ex.Apply("Mul", (ex.Apply("Gelu", (BIAS,)), ex.Operand(1, "full")))
SPECS = {
    "plain": ChannelMix(ex.Port()),
    "residual": ChannelMix(RESIDUAL),
    "gelu": ChannelMix(GELU),
    "half": ChannelMix(ex.Port(), "bfloat16"),
    "of 70": ChannelMix(ex.Port(), depth=70),
}


@pytest.fixture(scope="module")
def kernels(build):
    return build(SPECS)


def data(rows, depth, columns):
    chance = np.random.default_rng(rows)
    a = chance.standard_normal((rows, depth)).astype(np.float32)
    w = (chance.standard_normal((depth, columns)) / np.sqrt(depth)).astype(np.float32)
    return a, w


def pack(weights, given=F32):
    return pack_lines(weights.T, given)


def run(kernels, name, a, packed, out, *operands):
    rows, columns = out.shape
    for task in reversed(range(SPECS[name].tasks(rows, columns))):
        kernels[name](a, packed, out, *operands, rows, a.shape[1], columns, task, task + 1)
    return out


@pytest.mark.parametrize(
    ("rows", "depth", "columns"), [(1, 1, 32), (7, 33, 64), (13, 8, 32), (97, 20, 96), (200, 9, 32)]
)
def test_every_term(kernels, rms, rows, depth, columns):
    a, w = data(rows, depth, columns)
    chance = np.random.default_rng(1)
    bias = chance.standard_normal(columns).astype(np.float32)
    full = chance.standard_normal((rows, columns)).astype(np.float32)
    product = a.astype(np.float64) @ w

    def empty():
        return np.full((rows, columns), np.nan, np.float32)

    assert rms(run(kernels, "plain", a, pack(w), empty()), product) < 1e-6
    got = run(kernels, "residual", a, pack(w), empty(), bias, full)
    assert rms(got, product + bias + full) < 1e-6
    h = product + bias
    wanted = h * 0.5 * (1 + np.vectorize(erf)(h / np.sqrt(2))) * full
    assert rms(run(kernels, "gelu", a, pack(w), empty(), bias, full), wanted) < 1e-6
    together = full.copy()
    run(kernels, "residual", a, pack(w), together, bias, together)
    np.testing.assert_array_equal(together, got)


def test_only_what_is_read_before_the_result_may_give_its_place():
    assert SPECS["residual"].in_place == [1]
    assert SPECS["gelu"].in_place == []


def test_bits_of_a_row_do_not_depend_on_the_others(kernels):
    a, w = data(101, 70, 64)
    whole = run(kernels, "plain", a, pack(w), np.empty((101, 64), np.float32))
    known = run(kernels, "of 70", a, pack(w), np.empty((101, 64), np.float32))
    np.testing.assert_array_equal(known, whole)
    for row in (0, 5, 6, 95, 100):
        one = run(kernels, "plain", a[row : row + 1].copy(), pack(w), np.empty((1, 64), np.float32))
        np.testing.assert_array_equal(one[0], whole[row])


def test_bfloat16_weights_multiply_exactly_what_was_stored(kernels, rms):
    a, w = data(9, 64, 64)
    stored = (to_bfloat16(w).astype(np.uint32) << 16).view(np.float32)
    out = run(kernels, "half", a, pack(w, BF16), np.empty((9, 64), np.float32))
    assert rms(out, a.astype(np.float64) @ stored) < 1e-6
