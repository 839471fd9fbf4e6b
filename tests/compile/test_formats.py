"""Whole layers in every weight format: errors that the bits explain, bytes, self-tests, threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import edgemoe

# Relative RMS error of the layer `Wide` against torch: a floor and a ceiling. A rounding that loses
# less than the floor would not have taken place.
ERRORS = {
    "f16": (2e-5, 1e-3), "f16.a16": (2e-4, 1.5e-3), "bf16.a16": (2e-3, 1e-2),
    "i8": (4e-3, 4e-2), "i8.g32.a32": (2e-3, 2e-2), "i4": (5e-2, 0.2), "i4.g64.zp": (4e-2, 0.2),
    "i4.a32": (4e-2, 0.2), "i3": (0.1, 0.45), "i3.g64.zp.a32": (0.1, 0.45),
    "i2": (0.25, 0.9), "ternary": (0.3, 1.5),
}  # fmt: skip
BITS = {"f16": 16, "f16.a16": 16, "bf16.a16": 16, "i8": 8.5, "i8.g32.a32": 8.5,
        "i4": 4.5, "i4.g64.zp": 4.5, "i4.a32": 4.5, "i3": 3.5, "i3.g64.zp.a32": 3.5, "i2": 2.5,
        "ternary": 2.5}  # fmt: skip
"""Bits per weight of 64 inputs, with their scales."""


def wide(layers):
    return layers.Wide().eval(), (torch.randn(6, 64),)


def rows(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)


def in_torch(module, x):
    with torch.no_grad():
        return module.eval()(torch.from_numpy(x)).numpy()


@pytest.fixture(scope="module", params=ERRORS)
def model(request, layers, compiled):
    name = request.param
    made = compiled(f"wide {name}", lambda: wide(layers), [1, 4], cpu="native", precision=name)
    return name, made


def test_the_error_is_that_of_the_format(model, layers, rms):
    name, made = model
    x = rows(33)
    low, high = ERRORS[name]
    for session in made.sessions().values():
        assert low < rms(session.run({"x": x})["y"], in_torch(layers.Wide(), x)) < high


def test_bytes_follow_the_bits(model):
    name, made = model
    experts = [s for s in made.plan.weights if s.role == "expert"]
    weights = 8 * 3 * 64 * 64
    assert 8 * sum(s.nbytes for s in experts) == BITS[name] * weights
    formats = {s.format for s in experts}
    assert formats == {"float16" if name == "f16" else name}
    (router,) = {s.format for s in made.plan.weights if s.role == "router"}
    assert router == "float32"


def test_threads_and_batches_change_no_bit(model):
    _, made = model
    x = rows(9, 1)
    for session in made.sessions().values():
        session.threads = 2
        two = session.run({"x": x})["y"]
        session.threads = 1
        np.testing.assert_array_equal(session.run({"x": x})["y"], two)
        alone = np.concatenate([session.run({"x": x[n : n + 1]})["y"] for n in range(9)])
        np.testing.assert_array_equal(alone, two)


def test_the_self_test_expects_what_was_computed_here(model):
    name, made = model
    with edgemoe.load(made.artifact.path, check=True) as session:
        assert session.run({"x": rows(2)})["y"].shape == (2, 64)
    if name not in ("f16", "f16.a16", "bf16.a16"):
        accuracy = made.artifact.manifest["accuracy"]
        assert accuracy["data"] == "the inputs of the self-test"
        assert 1e-3 < accuracy["relative_rms_error"]["y"] < 2


def test_other_tokens_do_not_spoil_a_row(model):
    _, made = model
    x = rows(5, 2)
    session = made.best()
    wanted = session.run({"x": x})["y"]
    x[3, 7] = np.nan
    got = session.run({"x": x})["y"]
    np.testing.assert_array_equal(got[[0, 1, 2, 4]], wanted[[0, 1, 2, 4]])
    assert np.isnan(got[3]).all()


def test_a_format_for_another_processor(layers, tmp_path):
    """What cannot run here is measured by a copy that can."""
    artifact = edgemoe.compile(
        wide(layers), out=tmp_path / "m", tokens=[2], target="aarch64", precision="i4"
    )
    accuracy = artifact.manifest["accuracy"]
    assert "as aarch64 is not here" in accuracy["data"]
    low, high = ERRORS["i4"]
    assert low < accuracy["relative_rms_error"]["y"] < high
    assert artifact.plan.target == "aarch64"
