from __future__ import annotations

import numpy as np
import pytest

from edgemoe import quantise as module
from edgemoe.bfloat16 import from_bfloat16, to_bfloat16
from edgemoe.quantise import quantise
from edgemoe.weight_format import parse

# SQNR in dB of normally distributed weights, per format: a floor and a ceiling. A rounding that is
# better than its bits allow would have done nothing.
SQNR = {
    "i8": (40, 46), "i8.g32": (43, 48), "i4": (19, 23), "i4.g128": (17.5, 21), "i4.zp": (19, 23),
    "i3": (13, 16.5), "i3.g128": (12, 15), "i3.zp": (13, 17),
    "i2": (7, 10.5), "i2.zp": (7, 11), "ternary": (4, 8),
}  # fmt: skip


def normal(columns=64, depth=256, seed=0):
    return np.random.default_rng(seed).standard_normal((columns, depth)).astype(np.float32)


@pytest.mark.parametrize("name", SQNR)
def test_sqnr_of_normal_weights(name):
    weights = normal()
    back = quantise(weights, parse(name)).dequantise(256)
    sqnr = 10 * np.log10(np.sum(weights**2) / np.sum((weights - back) ** 2))
    low, high = SQNR[name]
    assert low < sqnr < high


@pytest.mark.parametrize("name", SQNR)
@pytest.mark.parametrize("depth", [1, 7, 32, 33, 100, 129])
def test_any_depth_and_zeros(name, depth):
    weights = normal(5, depth)
    weights[2] = 0
    coded = quantise(weights, parse(name))
    back = coded.dequantise(depth)
    assert back.shape == weights.shape
    assert (back[2] == 0).all()
    assert coded.codes.max() <= parse(name).largest_code
    assert np.abs(back).max() <= 2 * np.abs(weights).max()


def test_codes_of_eight_bits_leave_out_the_lowest():
    # -128 would overflow when its sign is changed (vpsignb).
    for name in ("i8", "i8.g64", "i8.zp"):
        assert quantise(-np.abs(normal(8, 64)), parse(name)).codes.min() >= 1


def test_zero_points_pay_where_weights_lie_on_one_side():
    weights = np.abs(normal()) + 1
    errors = {
        name: float(np.mean((quantise(weights, parse(name)).dequantise(256) - weights) ** 2))
        for name in ("i4", "i4.zp")
    }
    # 0 has to have a code, so the range is that of [0, max] with 16 instead of 8 codes.
    assert errors["i4.zp"] < 0.35 * errors["i4"]


def test_scales_of_groups_are_bfloat16_numbers():
    scales = quantise(normal(), parse("i4")).scales
    np.testing.assert_array_equal(from_bfloat16(to_bfloat16(scales)), scales)


def test_ternary_is_the_mean_magnitude():
    weights = np.array([[0.5, -0.5, 0.1, 2.0] * 8], np.float32)
    coded = quantise(weights, parse("ternary"))
    mean = float(from_bfloat16(to_bfloat16(np.abs(weights).mean(keepdims=True)))[0, 0])
    np.testing.assert_array_equal(
        coded.dequantise(32)[0, :4], np.array([mean, -mean, 0, mean], np.float32)
    )


def test_chunks_change_nothing(monkeypatch):
    weights = normal(37, 96)
    whole = quantise(weights, parse("i4"))
    monkeypatch.setattr(module, "CHUNK", 200)
    parts = quantise(weights, parse("i4"))
    np.testing.assert_array_equal(whole.codes, parts.codes)
    np.testing.assert_array_equal(whole.scales, parts.scales)


def test_no_columns():
    assert quantise(np.zeros((0, 8), np.float32), parse("i8")).codes.shape[0] == 0
