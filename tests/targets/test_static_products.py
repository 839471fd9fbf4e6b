"""int8 products with static scales of activations, exactly: codes, sums, chains, token mixing.

Every instruction set for products of int8; those of other machines run in an emulator.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.integer.quantised import Quantised
from edgemoe.quantise import quantise
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.linear_codes import LinearCodes
from edgemoe.targets.kernels.norm import Norm
from edgemoe.targets.kernels.norm_codes import NormCodes
from edgemoe.targets.kernels.panels import PANEL, pack, panel_bytes
from edgemoe.targets.kernels.row_codes import pack_rows, part_bytes
from edgemoe.targets.kernels.static_codes import encode, facts_of, words_per_row
from edgemoe.targets.kernels.static_panels import QuantiseStaticPanels
from edgemoe.targets.kernels.static_product import column_sums
from edgemoe.targets.kernels.static_rows import QuantiseStatic
from edgemoe.targets.kernels.token_mix_int8 import TokenMixInt8
from edgemoe.targets.kernels.unpack_rows import UnpackRows, activation_format
from edgemoe.weight_format import F32, parse

STATIC = parse("i8.static")
SCALES = [Quantised("int8", 0.03, 0), Quantised("int8", 0.02, -94), Quantised("int8", 0.01, 127)]
BIASED = ex.Apply("Relu", (ex.Apply("Add", (ex.Port(), ex.Operand(0, "column"))),))
SIZES = pytest.mark.parametrize(("rows", "depth", "columns"), [
    (1, 512, 64), (2, 33, 31), (3, 1, 1), (5, 64, 33), (7, 100, 70), (13, 130, 32), (49, 256, 40),
])  # fmt: skip


@pytest.fixture(scope="module")
def kernels(build_for, dot_isa):
    panels = activation_format(STATIC)
    return build_for(dot_isa, {
        "rows": QuantiseStatic(), "product": Linear(ex.Port(), STATIC),
        "chained": LinearCodes(BIASED, STATIC), "written": LinearCodes(ex.Port(), F32),
        "panels": QuantiseStaticPanels(), "unpack": UnpackRows(STATIC),
        "mix": TokenMixInt8(ex.Port(), panels), "norm": Norm("layer", True, True, 1e-5),
        "norm_codes": NormCodes("layer", True, True, 1e-5),
    })  # fmt: skip


def data(rows, depth, columns, seed=0):
    chance = np.random.default_rng(seed)
    a = (2 * chance.standard_normal((rows, depth))).astype(np.float32)
    a[0, 0] = 1e30  # saturates
    return a, (chance.standard_normal((columns, depth)) / np.sqrt(depth)).astype(np.float32)


def codes_of(kernels, a, scale):
    rows, depth = a.shape
    codes = np.full((rows, words_per_row(depth)), 0x55555555, np.int32)
    for row in reversed(range(rows)):
        kernels["rows"](a, codes, facts_of(scale), depth, row, row + 1)
    return codes


def product(kernels, codes, scale, w, rows):
    columns, depth = w.shape
    packed, out = pack(w, STATIC), np.full((rows, columns), np.nan, np.float32)
    tasks = Linear(ex.Port()).tasks(rows, columns)
    kernels["product"](
        codes, facts_of(scale), column_sums(packed), packed, out, rows, depth, columns, 0, tasks
    )
    return out


def exact(a, w, scale):
    """The exact sums in float64, times both scales."""
    codes = quantise(w, STATIC)
    weights = codes.codes[:, : w.shape[1]].astype(np.int64) - 128
    rows = encode(a, scale).astype(np.int64) - scale.zero_point
    sums = rows @ weights.T
    return sums * codes.scales[:, 0].astype(np.float64) * float(np.float32(scale.scale))


def assert_exact(got, wanted):
    """Sums are exact: what is left are three roundings of float32."""
    np.testing.assert_allclose(got, wanted, rtol=4e-7, atol=1e-30)


@pytest.mark.parametrize("scale", SCALES, ids=lambda s: f"zero{s.zero_point}")
@SIZES
def test_sums_are_exact(kernels, scale, rows, depth, columns):
    a, w = data(rows, depth, columns)
    got = product(kernels, codes_of(kernels, a, scale), scale, w, rows)
    assert_exact(got, exact(a, w, scale))


def test_what_lies_beyond_saturates(kernels):
    scale = SCALES[1]
    a = np.array([[3.0, -3.0, np.inf, -np.inf, np.nan, 0.0, 0.011, -0.011]], np.float32)
    wanted = [56, -127, 127, -127, -127, -94, -93, -95]
    assert encode(a, scale).tolist() == [wanted]
    unit = np.eye(8, dtype=np.float32)
    got = product(kernels, codes_of(kernels, a, scale), scale, unit, 1)
    assert_exact(got[0], (np.array(wanted) + 94.0) * np.float32(0.02))


@SIZES
def test_a_product_writes_the_codes_that_the_next_one_reads(kernels, rows, depth, columns):
    """Bit by bit what comes out where the result is written as floats and then rounded."""
    first, second = SCALES[0], SCALES[1]
    a, w = data(rows, depth, columns)
    bias = np.linspace(-1, 1, columns).astype(np.float32)
    next_weights = data(1, columns, 24, seed=1)[1]
    packed, tasks = pack(w, STATIC), Linear(ex.Port()).tasks(rows, columns)
    # What fills the last word of a row meets weights that are zero, whatever it is.
    written = np.full((rows, words_per_row(columns)), 0x55555555, np.int32)
    codes = codes_of(kernels, a, first)
    kernels["chained"](
        codes, facts_of(first), column_sums(packed), packed, written, facts_of(second), bias,
        rows, depth, columns, 0, tasks,
    )  # fmt: skip
    floats = np.maximum(product(kernels, codes, first, w, rows) + bias, 0)
    wanted = product(kernels, codes_of(kernels, floats, second), second, next_weights, rows)
    got = product(kernels, written, second, next_weights, rows)
    np.testing.assert_array_equal(got, wanted)


def test_a_product_of_floats_writes_codes(kernels):
    a, w = data(3, 40, 50)
    scale, next_weights = SCALES[2], data(1, 50, 24, seed=1)[1]
    written = np.zeros((3, words_per_row(50)), np.int32)
    a[0, 0] = 1
    kernels["written"](
        a, pack(w, F32), written, facts_of(scale), 3, 40, 50, 0, Linear(ex.Port()).tasks(3, 50)
    )
    got = product(kernels, written, scale, next_weights, 3)
    wanted = exact((a.astype(np.float64) @ w.T).astype(np.float32), next_weights, scale)
    # Sums in another order move a value over the border between two codes now and then.
    assert np.abs(got - wanted).max() < 3 * 0.01 * np.abs(next_weights).max()


@pytest.mark.parametrize("width", [1, 7, 33, 64, 100])
def test_a_norm_writes_codes(kernels, width):
    """Bit by bit those of its floats."""
    x = np.random.default_rng(2).standard_normal((3, width)).astype(np.float32)
    scale, shift = (np.linspace(a, 1, width).astype(np.float32) for a in (0.5, -1))
    floats, codes = np.zeros_like(x), np.zeros((3, words_per_row(width)), np.int32)
    kernels["norm"](x, floats, scale, shift, width, 0, 3)
    kernels["norm_codes"](x, codes, facts_of(SCALES[1]), scale, shift, width, 0, 3)
    weights = data(1, width, 24, seed=1)[1]
    got = product(kernels, codes, SCALES[1], weights, 3)
    wanted = product(kernels, codes_of(kernels, floats, SCALES[1]), SCALES[1], weights, 3)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("scale", SCALES, ids=lambda s: f"zero{s.zero_point}")
@pytest.mark.parametrize(("batch", "rows", "depth", "channels"), [
    (1, 1, 1, 32), (2, 7, 5, 33), (3, 13, 32, 64), (1, 49, 130, 70), (2, 12, 47, 7),
])  # fmt: skip
def test_token_mixing_is_exact(kernels, scale, batch, rows, depth, channels):
    chance = np.random.default_rng(3)
    w = (chance.standard_normal((rows, depth)) / np.sqrt(depth)).astype(np.float32)
    x = (2 * chance.standard_normal((batch, depth, channels))).astype(np.float32)
    panels, facts = activation_format(STATIC), facts_of(scale)
    quantiser, mix = QuantiseStaticPanels(), TokenMixInt8(ex.Port(), panels)
    tasks = quantiser.tasks(batch, channels)
    made = np.full((tasks, panel_bytes(depth, panels)), 0x55, np.uint8)
    kernels["panels"](x, made, facts, depth, channels, 0, tasks)
    assert made.shape == (batch * -(-channels // PANEL), panel_bytes(depth, panels))
    ends = np.cumsum(part_bytes(rows, depth, STATIC))
    parts = [part.copy() for part in np.split(pack_rows(w, STATIC, quantise), ends[:-1])]
    unpacked = [np.zeros((rows, words_per_row(depth)), np.int32), np.zeros(rows, np.float32),
                np.zeros(rows, np.int32)]  # fmt: skip
    kernels["unpack"](*parts, *unpacked, depth, 0, rows)
    out = np.full((batch, rows, channels), np.nan, np.float32)
    kernels["mix"](
        *unpacked, facts, made, out, rows, depth, channels, 0, mix.tasks(batch, rows, channels)
    )
    wanted = [exact(matrix.T, w, scale).T for matrix in x]
    assert_exact(out, np.array(wanted))
