"""Sweeps of the elementary functions; the bounds are those that the docstrings state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import erf

from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.panels import pack
from edgemoe.weight_format import F32

FUNCTIONS = {
    "Exp": (np.exp, -87.33, 88.37, 1),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), -85.0, 85.0, 3),
    "Tanh": (np.tanh, -10.0, 10.0, 5),
    "Swish": (lambda x: x / (1 + np.exp(-x)), -80.0, 80.0, 3),
    "Erf": (erf, -6.0, 6.0, 6),
}


@dataclass(frozen=True)
class Case:
    name: str
    call: object


@pytest.fixture(scope="module")
def kernels(build):
    specs = {name.lower(): Linear(ex.Apply(name, (ex.Port(),))) for name in [*FUNCTIONS, "Gelu"]}
    tanh = ex.Apply("Gelu", (ex.Port(),), (("approximate", "tanh"),))
    return build({**specs, "gelutanh": Linear(tanh)})


def apply(kernels, name, x):
    """f(x) through a product with the 1x1 identity: one row per value."""
    out = np.empty_like(x)
    spec = Linear(ex.Port())
    one = pack(np.ones((1, 1), np.float32), F32)
    kernels[name.lower()](x, one, out, len(x), 1, 1, 0, spec.tasks(len(x), 1))
    return out


def ulps(got, wanted):
    """Distance in units of the last place of float32."""
    spacing = np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64)
    return np.abs(got.astype(np.float64) - wanted) / spacing


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_the_stated_units_in_the_last_place(kernels, name):
    function, low, high, bound = FUNCTIONS[name]
    x = np.concatenate(
        [np.linspace(low, high, 400_001), np.geomspace(1e-6, 1, 2001), -np.geomspace(1e-6, 1, 2001)]
    ).astype(np.float32)
    wanted = function(x.astype(np.float64))
    x, wanted = x[x != 0], wanted[x != 0]
    assert ulps(apply(kernels, name, x), wanted).max() <= bound


@pytest.mark.parametrize("name", ["Gelu", "GeluTanh"])
def test_gelu_is_as_good_as_its_factor(kernels, name):
    """The factor of x cancels below -1: the error is one of the factor, relative to |x|."""
    x = np.linspace(-12, 12, 400_001).astype(np.float32)
    exact = x.astype(np.float64)
    inner = exact / np.sqrt(2)
    if name == "GeluTanh":
        inner = np.sqrt(2 / np.pi) * (exact + 0.044715 * exact**3)
    wanted = exact / 2 * (1 + (erf(inner) if name == "Gelu" else np.tanh(inner)))
    error = np.abs(apply(kernels, name, x) - wanted) / np.maximum(np.abs(exact), 1e-30)
    assert error.max() <= (3 if name == "Gelu" else 4) * 2.0**-24


def test_gelu_ends_at_zero_and_at_its_argument(kernels):
    x = np.array([-np.inf, -1e30, -100, 0, 100, 1e30, np.inf], np.float32)
    out = apply(kernels, "Gelu", x)
    np.testing.assert_allclose(out[:4], 0, atol=1e-10)
    np.testing.assert_array_equal(out[4:], x[4:])


def test_vectors_and_scalars_give_the_same_bits(build):
    """A row of 33 columns ends in a scalar; the same value must come out of both."""
    spec = Linear(ex.Apply("Exp", (ex.Port(),)))
    call = build({"row": spec})["row"]
    out = np.empty((1, 33), np.float32)
    for value in (-3.7, 0.1, 12.25):
        weights = pack(np.full((33, 1), value, np.float32), F32)
        call(np.ones((1, 1), np.float32), weights, out, 1, 1, 33, 0, spec.tasks(1, 33))
        assert len(set(out[0])) == 1


@pytest.mark.parametrize("name", ["Exp", "Sigmoid", "Tanh", "Gelu", "Swish"])
def test_nan_stays_and_infinities_saturate(kernels, name):
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0], np.float32)
    out = apply(kernels, name, x)
    assert np.isnan(out[0])
    strange = np.array([0xFFFFFFFF, 0x7FC00001, 0xFF800001, 0x7FFFFF55], np.uint32)
    assert np.isnan(apply(kernels, name, strange.view(np.float32))).all()
    if name in ("Sigmoid", "Tanh"):
        limits = [1, 0, 1, 0] if name == "Sigmoid" else [1, -1, 1, -1]
        np.testing.assert_allclose(out[1:5], limits, rtol=6 * 2**-24, atol=1e-30)
    if name == "Exp":
        assert out[1] > 1e38 and 0 <= out[2] < 1e-37
