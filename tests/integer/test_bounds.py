"""No sum overflows, whatever comes in: the operators' own asserts watch every node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgemoe.errors import IntegerError
from edgemoe.weight_format import I8

Build = Any


def extremes(model: Any, seed: int) -> dict[str, np.ndarray]:
    """Codes at the ends of their types: all low, all high, mixed."""
    chance = np.random.default_rng(seed)
    feed = {}
    for value in model.model.graph.inputs:
        dtype = np.dtype(value.dtype.numpy())
        least = -32768 if dtype == np.int16 else -128
        ends = np.array([least, np.iinfo(dtype).max], dtype)
        shape = tuple(int(n) for n in value.shape)
        feed[str(value.name)] = (
            np.full(shape, ends[seed], dtype) if seed < 2 else ends[chance.integers(0, 2, shape)]
        )
    return feed


@pytest.mark.parametrize("bits", [8, 16])
def test_extreme_codes(build: Build, bits: int) -> None:
    chance = np.random.default_rng(0)
    made = build(
        """g (float[3, 700] x, float w, float g, float v) => (float[3, 5] y) {
            n = RMSNormalization <axis = -1> (x, g)
            m = MatMul (n, w)
            a = Gelu (m)
            p = Softmax <axis = -1> (a)
            q = Mul (p, a)
            s = Sub (q, a)
            y = MatMul (s, v)
        }""",
        {
            "w": chance.standard_normal((700, 9)).astype(np.float32),
            "g": np.ones(700, np.float32),
            "v": chance.standard_normal((9, 5)).astype(np.float32),
        },
        bits=bits, samples=4,
    )  # fmt: skip
    for seed in range(6):
        made.model.run_integers(extremes(made.model, seed))


def test_int16_is_narrowed_where_its_sum_would_overflow(build: Build) -> None:
    signs = np.where(np.arange(2000)[:, None] % 3, 1.0, -1.0) * np.ones((1, 2))
    made = build(
        "g (float[1, 2000] x, float w) => (float[1, 2] y) { y = MatMul (x, w) }",
        {"w": signs.astype(np.float32)}, bits=16, samples=3,
    )  # fmt: skip
    assert made.operators == ["ChangeScale", "Linear"]  # 2000 * 127 * 32767 is beyond 2^31
    for seed in range(4):
        made.model.run_integers(extremes(made.model, seed))
    assert made.worst() * made.model.outputs["y"].scale < 0.2


def test_a_norm_of_almost_nothing_is_refused(build: Build) -> None:
    with pytest.raises(IntegerError, match="epsilon"):
        build(
            """g (float[2, 8] x, float g) => (float[2, 8] y) {
                y = RMSNormalization <axis = -1, epsilon = 1.0> (x, g)
            }""",
            {"g": np.ones(8, np.float32)}, bits=16, scale=1e-6,
        )  # fmt: skip


def test_what_is_always_zero_stays_zero(build: Build) -> None:
    feeds = [{"x": np.zeros((2, 5), np.float32)} for _ in range(3)]
    made = build(
        """g (float[2, 5] x, float w) => (float[2, 3] y) {
            m = MatMul (x, w)
            y = Tanh (m)
        }""",
        {"w": np.ones((5, 3), np.float32)}, feeds=feeds, formats={"w": I8},
    )  # fmt: skip
    assert not made.model.run(feeds[0])["y"].any()
    for seed in range(3):
        made.model.run_integers(extremes(made.model, seed))


def test_constant_tensors_and_weights_of_zeros(build: Build) -> None:
    feeds = [{"x": np.full((2, 5), 3.0, np.float32)} for _ in range(3)]
    made = build(
        """g (float[2, 5] x, float w, float b) => (float[2, 3] y) {
            m = MatMul (x, w)
            y = Add (m, b)
        }""",
        {"w": np.zeros((5, 3), np.float32), "b": np.array([1.0, -2.0, 0.0], np.float32)},
        feeds=feeds,
    )  # fmt: skip
    assert made.worst() <= 0.51
