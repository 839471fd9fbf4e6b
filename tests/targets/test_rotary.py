from __future__ import annotations

import numpy as np
import pytest

from edgemoe.targets.kernels.rotary import Rotary

FORMS = {f"{p}_{n}": Rotary(p, n == "narrow") for p in ("half", "pair") for n in ("wide", "narrow")}


@pytest.fixture(scope="module")
def kernels(build):
    return build(FORMS)


def wanted(x, cos, sin, partner, turned):
    """x [B, H, T, D] float64; cos, sin [B, 1, T, turned]."""
    part = x[..., :turned]
    half = turned // 2
    if partner == "half":
        other = np.concatenate([-part[..., half:], part[..., :half]], -1)
    else:
        other = np.stack([-part[..., 1::2], part[..., ::2]], -1).reshape(part.shape)
    return np.concatenate([part * cos + other * sin, x[..., turned:]], -1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("batch", "heads", "rows", "width", "turned"),
    [(1, 1, 1, 2, 2), (2, 3, 5, 32, 32), (1, 4, 7, 40, 10), (1, 2, 3, 70, 66), (1, 1, 9, 13, 12)],
)
def test_against_numpy(kernels, form, batch, heads, rows, width, turned):
    """x is [batch, row, head, 3 + width]: a slice of a projection, its heads not turned around."""
    chance = np.random.default_rng(0)
    spec = FORMS[form]
    x = chance.standard_normal((batch, rows, heads, 3 + width)).astype(np.float32)
    columns = turned // 2 if spec.narrow else turned
    cos, sin = (
        chance.standard_normal((batch, 1, rows, columns)).astype(np.float32) for _ in range(2)
    )
    out = np.full((batch, heads, rows, width), np.nan, np.float32)
    line = 3 + width
    strides = [rows * heads * line, line, heads * line, *[rows * columns, 0, columns] * 2]
    kernels[form](x, cos, sin, out, 3, heads, rows, turned, width, *strides, 0, batch * rows)

    def spread(table):
        if not spec.narrow:
            return table.astype(np.float64)
        parts = np.tile if spec.partner == "half" else lambda t, n: np.repeat(t, n[-1], -1)
        return parts(table.astype(np.float64), (1, 1, 1, 2))

    plain = x[..., 3:].astype(np.float64).transpose(0, 2, 1, 3)
    expected = wanted(plain, spread(cos), spread(sin), spec.partner, turned)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(out[..., turned:], plain[..., turned:])
