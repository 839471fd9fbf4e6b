"""Rounding of weights to codes with groups."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.integer.weights import limits_of, round_weights
from edgemoe.weight_format import parse

CHANCE = np.random.default_rng(0)
ROWS = CHANCE.standard_normal((9, 96)).astype(np.float32)
INPUTS = CHANCE.standard_normal((400, 12)) @ CHANCE.standard_normal((12, 96))


@pytest.mark.parametrize("given", ["i8", "i4", "i4.g64", "ternary"])
def test_codes_lie_in_their_range(given: str) -> None:
    low, high = limits_of(parse(given))
    codes = round_weights(ROWS, parse(given)).codes
    assert codes.min() >= low and codes.max() <= high
    assert codes.max() == high  # all bits are used


@pytest.mark.parametrize(
    ("given", "least", "most"), [("i8", 40, 55), ("i4", 17, 30), ("ternary", 5, 12)]
)
def test_signal_to_noise(given: str, least: float, most: float) -> None:
    error = round_weights(ROWS, parse(given)).real() - ROWS
    decibel = 10 * np.log10((ROWS**2).sum() / (error**2).sum())
    assert least < decibel < most


@pytest.mark.parametrize("given", ["i4", "ternary"])
def test_gptq_beats_nearest_on_the_inputs_it_knows(given: str) -> None:
    gram = INPUTS.T @ INPUTS
    errors = []
    for known in (None, gram):
        error = round_weights(ROWS, parse(given), known).real() - ROWS
        errors.append(float(np.einsum("nk,kl,nl->", error, gram, error)))
    assert errors[1] < 0.7 * errors[0]


def test_a_group_divides_the_depth() -> None:
    assert round_weights(ROWS[:, :48], parse("i4")).factors.shape == (9, 2)  # type: ignore[union-attr]
    assert round_weights(ROWS[:, :33], parse("i4")).factors is None


def test_least_scale_and_zeros() -> None:
    found = round_weights(np.zeros((3, 8), np.float32), parse("i8"))
    assert not found.codes.any() and (found.scales > 0).all()
    assert (round_weights(ROWS, parse("i8"), None, 0.5).scales >= 0.5).all()
