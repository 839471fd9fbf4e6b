"""Rounding that knows its inputs against rounding to nearest, on inputs that hang together."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.bfloat16 import from_bfloat16, to_bfloat16
from edgemoe.code_ranges import nearest_codes
from edgemoe.compression.rounding import clip_search, gptq
from edgemoe.compression.weighted_error import best_group, weighted_error
from edgemoe.quantise import quantise
from edgemoe.weight_format import parse

NAMES = ("i8", "i8.g32", "i8.zp", "i8.g64.zp", "i4", "i4.g128", "i4.g64.zp", "i3", "i3.g64.zp",
         "i2", "i2.g128", "i2.zp", "ternary", "ternary.g128")  # fmt: skip
FORMATS = pytest.mark.parametrize("name", NAMES)


def weights(columns=40, depth=256, seed=0):
    chance = np.random.default_rng(seed)
    return (chance.standard_normal((columns, depth)) / np.sqrt(depth)).astype(np.float32)


def correlated(depth=256, rows=2048, seed=1):
    """Gram matrix of inputs with a falling spectrum and unequal sizes."""
    chance = np.random.default_rng(seed)
    axes = np.linalg.qr(chance.standard_normal((depth, depth)))[0]
    x = (chance.standard_normal((rows, depth)) * np.arange(1, depth + 1) ** -0.6) @ axes
    x = x * np.exp(0.5 * chance.standard_normal(depth))
    return x.T @ x


def same(one, other):
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.scales, other.scales)
    np.testing.assert_array_equal(one.zeros, other.zeros)


def keeps_the_rules(coded, given, columns, depth):
    """The constraints of storage, see `Codes` and `code_ranges`."""
    group = given.group or depth
    groups = -(-depth // group)
    assert coded.codes.shape == (columns, groups * group)
    assert coded.scales.shape == coded.zeros.shape == (columns, groups)
    assert (coded.codes.dtype, coded.scales.dtype, coded.zeros.dtype) == (
        np.uint8, np.float32, np.uint8
    )  # fmt: skip
    assert coded.codes.max() <= given.largest_code
    assert coded.codes.min() >= (1 if given.bits == 8 else 0)
    assert coded.scales.all()
    if given.group:
        np.testing.assert_array_equal(from_bfloat16(to_bfloat16(coded.scales)), coded.scales)
    if not given.zero_points:
        assert (coded.zeros == given.zero).all()
    padding = coded.codes.reshape(columns, groups, group)[:, -1, depth - (groups - 1) * group :]
    np.testing.assert_array_equal(padding, np.broadcast_to(coded.zeros[:, -1:], padding.shape))


@FORMATS
def test_compensation_lowers_the_error_of_the_product(name):
    w, gram, given = weights(), correlated(), parse(name)
    nearest = weighted_error(w, quantise(w, given), gram)
    coded = gptq(w, given, gram)
    assert 0.15 < weighted_error(w, coded, gram) / nearest < 0.32
    assert coded.note == ""


@FORMATS
def test_a_searched_range_suits_the_importance(name):
    """As if inputs did not hang together: that is what the diagonal knows."""
    w, gram, given = weights(), np.diag(np.diagonal(correlated())), parse(name)
    nearest = weighted_error(w, quantise(w, given), gram)
    searched = weighted_error(w, clip_search(w, given, np.diagonal(gram)), gram)
    assert 0.5 < searched / nearest < 1


@FORMATS
@pytest.mark.parametrize("depth", [1, 7, 33, 100, 129])
def test_any_depth_and_one_column(name, depth):
    given, gram = parse(name), correlated(depth, 64)
    for columns in (1, 5):
        w = weights(columns, depth)
        for coded in (gptq(w, given, gram), clip_search(w, given, np.diagonal(gram))):
            keeps_the_rules(coded, given, columns, depth)
        if depth > 7:
            nearest = weighted_error(w, quantise(w, given), gram)
            assert weighted_error(w, gptq(w, given, gram), gram) < nearest


@FORMATS
def test_without_correlations_it_is_rounding_to_nearest(name):
    w, given = weights(depth=130), parse(name)
    gram = np.diag(np.random.default_rng(0).uniform(0.1, 9, 130))
    coded = gptq(w, given, gram)
    group = given.group or 130
    scales, zeros = (np.repeat(x, group, 1)[:, :130] for x in (coded.scales, coded.zeros))
    np.testing.assert_array_equal(coded.codes[:, :130], nearest_codes(w, scales, zeros, given))


@FORMATS
def test_what_codes_can_say_comes_back_exactly(name):
    given, chance = parse(name), np.random.default_rng(0)
    lowest = 1 if given.bits == 8 else 0
    group, columns = given.group or 128, 12
    codes = chance.integers(lowest, given.largest_code + 1, (columns, 256 // group, group))
    codes[..., 0], codes[..., 1] = lowest, given.largest_code
    scales = from_bfloat16(to_bfloat16(chance.uniform(0.01, 1, (*codes.shape[:2], 1))))
    zero = given.largest_code // 2 if given.zero_points else given.zero
    if not given.group:
        scales = scales[:, :1]
    w = ((codes - zero) * scales).reshape(columns, 256).astype(np.float32)
    gram = correlated()
    for coded in (gptq(w, given, gram), clip_search(w, given), gptq(w, given, None)):
        np.testing.assert_allclose(coded.dequantise(256), w, rtol=1e-6)
    assert weighted_error(w, gptq(w, given, gram), gram) < 1e-9 * np.sum((w @ gram) * w)


def test_inputs_that_were_never_active():
    """Their weights stay near: what calibration has not seen may still come."""
    w, gram, given = weights(), correlated(), parse("i4")
    dead = np.arange(0, 256, 3)
    gram[dead], gram[:, dead] = 0, 0
    coded = gptq(w, given, gram)
    assert coded.note == ""
    lost = (coded.dequantise(256) - w)[:, dead]
    assert np.mean(lost**2) < 4 * np.mean((quantise(w, given).dequantise(256) - w)[:, dead] ** 2)
    nearest = weighted_error(w, quantise(w, given), gram)
    assert weighted_error(w, coded, gram) < 0.35 * nearest


@pytest.mark.parametrize(("spoil", "note"), [
    (lambda gram: None, "no row was seen"),
    (lambda gram: gram * 0, "every input was 0"),
    (lambda gram: gram * np.nan, "not finite"),
    (lambda gram: gram * np.where(np.arange(256) == 7, np.inf, 1), "not finite"),
    (lambda gram: -gram, "negative diagonal"),
    (lambda gram: gram + 1e3 * np.trace(gram) * (1 - np.eye(256)), "negative eigenvalues"),
])  # fmt: skip
def test_a_useless_gram_matrix_is_said_to_be_one(spoil, note):
    w, given = weights(), parse("i4")
    gram = spoil(correlated())
    coded = gptq(w, given, gram)
    assert note in coded.note and coded.note.endswith("rounded to nearest")
    seen = np.diagonal(gram) if "eigenvalues" in note else None
    same(coded, clip_search(w, given, seen))


def test_damping_is_raised_until_the_matrix_is_positive():
    w, given, gram = weights(), parse("i4"), correlated()
    shifted = gram - 0.05 * np.mean(np.diagonal(gram)) * np.eye(256)
    shifted[np.diag_indices(256)] = np.maximum(np.diagonal(shifted), 0)
    coded = gptq(w, given, shifted)
    assert coded.note == ""
    assert weighted_error(w, coded, gram) < 0.5 * weighted_error(w, quantise(w, given), gram)


def test_one_row_was_seen():
    """A Gram matrix of rank one."""
    x = np.random.default_rng(0).standard_normal(256)
    w, given, gram = weights(), parse("i4"), np.outer(x, x)
    coded = gptq(w, given, gram)
    assert coded.note == ""
    assert weighted_error(w, coded, gram) < 0.01 * weighted_error(w, quantise(w, given), gram)


@pytest.mark.parametrize("call", [
    lambda w, given: gptq(w, given, np.eye(7)),
    lambda w, given: clip_search(w, given, np.ones(7)),
    lambda w, given: clip_search(w, given, np.full(256, np.nan)),
    lambda w, given: clip_search(w, given, np.full(256, -1.0)),
])  # fmt: skip
def test_what_does_not_belong_to_the_weights(call):
    with pytest.raises(ValueError, match=r"weights of|finite, and not negative"):
        call(weights(), parse("i4"))


def test_zeros_stay_zeros():
    w, gram = weights(), correlated()
    w[3] = 0
    for name in NAMES:
        assert (gptq(w, parse(name), gram).dequantise(256)[3] == 0).all()


def test_no_columns():
    assert gptq(weights(0), parse("i8"), correlated()).codes.shape[0] == 0


def test_columns_do_not_meet():
    w, gram = weights(300), correlated()
    whole = gptq(w, parse("i4"), gram).dequantise(256)
    alone = gptq(w[17:18], parse("i4"), gram).dequantise(256)
    # BLAS may add up a single column in another order, which turns a tie over now and then.
    assert np.mean(whole[17] != alone[0]) < 0.05


@FORMATS
def test_the_search_is_finer_than_that_of_nearest(name):
    w = weights(seed=3)
    w[:, ::50] *= 4
    given = parse(name)
    assert weighted_error(w, clip_search(w, given), None) < weighted_error(
        w, quantise(w, given), None
    )


def test_the_error_is_that_of_the_product():
    w, given = weights(), parse("i4")
    x = np.random.default_rng(0).standard_normal((50, 256))
    coded = quantise(w, given)
    product = np.sum((x @ w.T.astype(np.float64) - x @ coded.dequantise(256).T) ** 2)
    assert weighted_error(w, coded, x.T @ x) == pytest.approx(product, rel=1e-9)


def test_a_small_group_is_taken_where_ranges_differ():
    w, given = weights(seed=4), parse("i4.a32")
    assert best_group(w, given, None).group == 128
    uneven = w * np.repeat(np.exp(np.random.default_rng(0).normal(0, 1.5, 8)), 32)
    gram = correlated()
    assert best_group(uneven.astype(np.float32), given, gram).group == 32
    assert best_group(uneven.astype(np.float32), given, gram, (64, 128)).group == 64


def test_padding_of_groups_costs_bytes():
    """40 inputs take 64 codes, or 128."""
    assert best_group(weights(depth=40), parse("i4"), None, (32, 128)).group == 32
