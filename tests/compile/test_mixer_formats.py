"""A mixer in every kind of format: errors that the bits explain, bytes, where weights unpack."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgemoe.compression.units import unit_bytes
from edgemoe.precision import Unit
from edgemoe.weight_format import parse

BATCH, TOKENS, HIDDEN, CHANNELS = 5, 20, 40, 64

# Relative RMS error of the layer against torch: a floor and a ceiling. A rounding that loses less
# than the floor would not have taken place.
ERRORS = {
    "bf16": (2e-4, 8e-3), "bf16.a16": (2e-4, 8e-3), "f16": (2e-5, 1e-3),
    "i8": (1e-3, 2e-2), "i8.a32": (5e-4, 1e-2), "i4.g64.zp": (5e-3, 0.15),
    "i3.a32": (1e-2, 0.4), "ternary": (5e-2, 1.0),
}  # fmt: skip


def in_torch(layers, x):
    with torch.no_grad():
        return layers.TokenMixer(TOKENS, HIDDEN).eval()(torch.from_numpy(x)).numpy()


def inputs(seed=0):
    chance = np.random.default_rng(seed)
    return chance.standard_normal((BATCH, TOKENS, CHANNELS)).astype(np.float32)


@pytest.fixture(scope="module", params=["f32", *ERRORS])
def model(request, layers, compiled):
    name = request.param

    def make():
        example = (torch.randn(BATCH, TOKENS, CHANNELS),)
        return layers.TokenMixer(TOKENS, HIDDEN).eval(), example

    return name, compiled(f"mixer {name}", make, None, cpu="native", precision=name)


def test_the_error_is_that_of_the_format(model, layers, rms):
    name, made = model
    x = inputs()
    low, high = ERRORS.get(name, (0, 1e-5))
    for session in made.sessions().values():
        assert low <= rms(session.run({"x": x})["y"], in_torch(layers, x)) < high


def test_weights_are_stored_in_the_format(model):
    name, made = model
    mixing = [s for s in made.plan.weights if s.role == "token_mix"]
    stored = {parse(name).for_depth(depth).stored for depth in (TOKENS, HIDDEN)}
    assert {s.format for s in mixing} == stored and len(mixing) == 2
    if name in ("bf16", "bf16.a16", "f16"):
        assert sum(s.nbytes for s in mixing) == 2 * 2 * TOKENS * HIDDEN
    if name == "i8":  # and a scale per row
        assert sum(s.nbytes for s in mixing) == 2 * TOKENS * HIDDEN + 4 * (TOKENS + HIDDEN)


def test_weights_are_unpacked_once_for_all_blocks(model):
    name, made = model
    (variant,) = made.plan.variants
    steps = [step.kernel.rsplit("_", 1)[0] for step in variant.steps]
    assert steps.count("unpack_rows") == (0 if name == "f32" else 2)
    assert "blocks" in steps and steps[-1] != "unpack_rows"


def test_samples_do_not_depend_on_each_other_or_on_threads(model):
    _, made = model
    x = inputs(1)
    session = made.best()
    wanted = session.run({"x": x})["y"]
    session.threads = 2
    np.testing.assert_array_equal(session.run({"x": x})["y"], wanted)
    session.threads = 1
    x[1, 3, 5] = np.nan
    got = session.run({"x": x})["y"]
    np.testing.assert_array_equal(got[[0, 2, 3, 4]], wanted[[0, 2, 3, 4]])
    assert np.isnan(got[1, :, 5]).all()


def test_a_search_counts_the_bytes_that_are_stored(model):
    name, made = model
    counted = sum(
        unit_bytes(Unit((end,), "token_mix", depth, outputs, (False,)), parse(name))
        for end, depth, outputs in (("up", TOKENS, HIDDEN), ("down", HIDDEN, TOKENS))
    )
    assert counted == sum(s.nbytes for s in made.plan.weights if s.role == "token_mix")
