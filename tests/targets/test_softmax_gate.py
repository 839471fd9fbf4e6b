"""`softmax_gate` against NumPy at odd sizes: both axes, with and without gate and residual."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgemoe.targets.kernels.softmax_gate import SoftmaxGate

SPECS = {
    f"{'tokens' if over else 'channels'}{int(gated)}{int(residual)}": SoftmaxGate(
        over, gated, residual
    )
    for over, (gated, residual) in itertools.product(
        (False, True), ((False, False), (True, False), (True, True))
    )
}


@pytest.fixture(scope="module")
def kernels(build):
    return build(SPECS)


def softmax(z, axis):
    e = np.exp(z.astype(np.float64) - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 9), (3, 33, 8), (1, 4, 130), (2, 8, 257)])
def test_every_term(kernels, rms, name, shape):
    spec = SPECS[name]
    chance = np.random.default_rng(0)
    z = (chance.standard_normal(shape) * 20).astype(np.float32)
    x, r = chance.standard_normal((2, *shape)).astype(np.float32)
    out = np.full(shape, np.nan, np.float32)
    operands = [*([x] if spec.gated else []), *([r] if spec.residual else [])]
    tasks = spec.tasks(*shape)
    for task in reversed(range(tasks)):
        kernels[name](z, out, *operands, shape[1], shape[2], task, task + 1)
    wanted = softmax(z, -2 if spec.over_tokens else -1)
    wanted = wanted * x if spec.gated else wanted
    wanted = wanted + r if spec.residual else wanted
    assert rms(out, wanted) < 1e-6
    together = z.copy()
    kernels[name](together, together, *operands, shape[1], shape[2], 0, tasks)
    np.testing.assert_array_equal(together, out)


@pytest.mark.parametrize("name", ["tokens11", "channels11"])
def test_large_values_do_not_overflow(kernels, name):
    z = np.array([[[200.0, -200.0], [200.0, 300.0]]], np.float32)
    x, r = np.ones_like(z), np.zeros_like(z)
    out = np.empty_like(z)
    kernels[name](z, out, x, r, 2, 2, 0, SPECS[name].tasks(1, 2, 2))
    np.testing.assert_allclose(out, softmax(z, -2 if "tokens" in name else -1), atol=1e-7)
