"""Codes that are read at 8 and at 4 bits, against codes that were rounded for one of them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from edgemoe.bfloat16 import from_bfloat16, to_bfloat16
from edgemoe.compression.nested import nest
from edgemoe.compression.rounding import gptq
from edgemoe.compression.weighted_error import weighted_error
from edgemoe.quantise import quantise
from edgemoe.targets.kernels.panels import pack, panel_bytes
from edgemoe.weight_format import parse

GROUPS = pytest.mark.parametrize("group", [32, 64, 128])


def weights(columns=60, depth=256, seed=0):
    chance = np.random.default_rng(seed)
    return (chance.standard_normal((columns, depth)) / np.sqrt(depth)).astype(np.float32)


def correlated(depth=256, rows=2048, seed=1):
    chance = np.random.default_rng(seed)
    axes = np.linalg.qr(chance.standard_normal((depth, depth)))[0]
    x = (chance.standard_normal((rows, depth)) * np.arange(1, depth + 1) ** -0.6) @ axes
    x = x * np.exp(0.5 * chance.standard_normal(depth))
    return x.T @ x


def ratios(nested, rows, gram, rounder):
    """Squared errors at 4 and at 8 bits, as multiples of those of `rounder`."""
    return tuple(
        weighted_error(rows, codes, gram)
        / weighted_error(rows, rounder(rows, parse(f"{name}.g{nested.group}")), gram)
        for name, codes in (("i4", nested.as_int4()), ("i8", nested.as_int8()))
    )


@GROUPS
def test_what_nesting_costs(group):
    """0.6 dB at 4 bits and 0.4 dB at 8, and no error is nil: it has been rounded."""
    w = weights()
    four, eight = ratios(nest(w, group=group), w, None, quantise)
    assert 0.95 < four < 1.17
    assert 0.9 < eight < 1.12


@GROUPS
def test_compensation(group):
    """Better than nearest at 4 bits, and about the same at 8."""
    w, gram = weights(), correlated()
    four, eight = ratios(nest(w, gram, group=group), w, gram, quantise)
    assert 0.4 < four < 0.75
    assert 0.4 < eight < 1.3


@GROUPS
def test_reach_moves_error_from_four_bits_to_eight(group):
    w, gram = weights(), correlated()
    found = [
        ratios(nest(w, gram, group=group, reach=reach), w, gram, quantise)
        for reach in (0.0, 0.1, 0.2, np.inf)
    ]
    fours, eights = zip(*found, strict=True)
    assert list(fours) == sorted(fours, reverse=True)
    assert list(eights[1:]) == sorted(eights[1:])
    four, eight = ratios(
        nest(w, gram, group=group, reach=np.inf), w, gram, partial(gptq, gram=gram)
    )
    assert four < 1.3
    # Even so, 8 bits have a tenth of the error that 4 bits have.
    codes = nest(w, gram, group=group, reach=np.inf)
    own = [weighted_error(w, c, gram) for c in (codes.as_int8(), codes.as_int4())]
    assert own[0] < 0.2 * own[1]
    assert eight > 5


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("depth", [1, 7, 33, 100, 129])
@GROUPS
def test_both_readings_keep_the_rules(gram, depth, group):
    for columns in (1, 5):
        w = weights(columns, depth)
        w[3:4] = 0
        nested = nest(w, correlated(depth, 64) if gram else None, group=group)
        eight, four = nested.as_int8(), nested.as_int4()
        np.testing.assert_array_equal(four.codes, (eight.codes.astype(int) + 8) // 16)
        np.testing.assert_array_equal(four.scales, 16 * eight.scales)
        assert eight.codes.min() >= 1 and four.codes.max() <= 15
        groups = -(-depth // group)
        assert eight.codes.shape == (columns, groups * group) and eight.codes.dtype == np.uint8
        for codes, zero in ((eight, 128), (four, 8)):
            assert codes.scales.shape == codes.zeros.shape == (columns, groups)
            assert (codes.zeros == zero).all() and codes.scales.all()
            assert (codes.codes[:, depth:] == zero).all()
            np.testing.assert_array_equal(from_bfloat16(to_bfloat16(codes.scales)), codes.scales)
            assert not codes.dequantise(depth)[3:4].any()


def test_both_readings_pack():
    """They are rounders' results: panels of the plain formats."""
    w = weights(40, 100)
    for name in ("i8.g64", "i4.g64"):
        given, nested = parse(name), nest(w, group=64)
        codes = nested.as_int8() if given.bits == 8 else nested.as_int4()
        packed = pack(w, given, lambda rows, asked, codes=codes: codes)
        assert packed.shape == (2, panel_bytes(100, given))
        assert (packed != pack(w, given)).any()


@pytest.mark.parametrize(("gram", "note"), [
    (np.zeros((256, 256)), "every input was 0"),
    (np.full((256, 256), np.nan), "not finite"),
    (1 - np.eye(256), "every input was 0"),
    (1e3 * (1 - np.eye(256)) + np.eye(256), "negative eigenvalues"),
])  # fmt: skip
def test_a_useless_gram_matrix_is_said_to_be_one(gram, note):
    nested = nest(weights(), gram)
    assert note in nested.note and nested.as_int4().note == nested.as_int8().note == nested.note
    np.testing.assert_array_equal(nested.codes, nest(weights()).codes)
    assert nest(weights()).note == ""


def test_a_gram_matrix_of_another_size():
    with pytest.raises(ValueError, match="weights of depth 256"):
        nest(weights(), np.eye(7))


def test_no_columns():
    assert nest(weights(0)).as_int4().codes.shape == (0, 256)
