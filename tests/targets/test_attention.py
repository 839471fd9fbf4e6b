from __future__ import annotations

import numpy as np
import pytest

from edgemoe.targets.kernels.attention import Attention

SCALE = 0.3


@pytest.fixture(scope="module")
def kernels(build):
    return build({kind: Attention(SCALE, kind) for kind in ("none", "float", "seen", "hidden")})


class Case:
    """[batch, row, head, size] tensors, as a reshaped projection gives them."""

    def __init__(self, batch, heads, group, queries, keys, size, value_size):
        chance = np.random.default_rng(0)
        self.shape = (batch, heads, group, queries, keys, size, value_size)
        make = lambda *shape: chance.standard_normal(shape).astype(np.float32)  # noqa: E731
        self.q = make(batch, queries, heads, size)
        self.k = make(batch, keys, heads // group, size)
        self.v = make(batch, keys, heads // group, value_size)

    def run(self, call, mask=None):
        batch, heads, group, queries, keys, size, value_size = self.shape
        out = np.full((batch, queries, heads, value_size), np.nan, np.float32)
        pairs = heads // group
        strides = [
            queries * heads * size, size, heads * size,
            keys * pairs * size, size, pairs * size,
            keys * pairs * value_size, value_size, pairs * value_size,
            queries * heads * value_size, value_size, heads * value_size,
            0, 0, keys,
        ]  # fmt: skip
        more = [] if mask is None else [mask]
        call(self.q, self.k, self.v, out, *more, heads, group, queries, keys, size, value_size,
             *strides, 0, batch * heads * queries)  # fmt: skip
        return out

    def wanted(self, seen=None, added=None):
        group = self.shape[2]
        k, v = (np.repeat(x.astype(np.float64), group, 2) for x in (self.k, self.v))
        scores = np.einsum("bthd,bchd->bhtc", self.q.astype(np.float64), k) * SCALE
        if added is not None:
            scores = scores + added
        if seen is not None:
            scores = np.where(seen, scores, -np.inf)
        e = np.exp(scores - scores.max(-1, keepdims=True))
        p = e / e.sum(-1, keepdims=True)
        return np.einsum("bhtc,bchd->bthd", p, v)


CASES = [(1, 1, 1, 1, 1, 1, 1), (1, 4, 2, 5, 70, 16, 16), (2, 3, 1, 7, 33, 24, 40),
         (1, 6, 3, 9, 64, 33, 8)]  # fmt: skip


@pytest.mark.parametrize("shape", CASES, ids=str)
def test_all_masks(kernels, shape):
    case = Case(*shape)
    queries, keys = shape[3], shape[4]
    seen = np.arange(keys)[None] <= np.arange(queries)[:, None] + keys // 3
    seen[:, 0] = True
    added = np.where(seen, np.random.default_rng(1).standard_normal(seen.shape), -np.inf)
    np.testing.assert_allclose(case.run(kernels["none"]), case.wanted(), atol=2e-6)
    for kind, mask, wanted in (
        ("seen", seen, case.wanted(seen)), ("hidden", ~seen, case.wanted(seen)),
        ("float", added.astype(np.float32), case.wanted(added=added.astype(np.float32))),
    ):  # fmt: skip
        got = case.run(kernels[kind], np.ascontiguousarray(mask))
        np.testing.assert_allclose(got, wanted, atol=2e-6, err_msg=kind)


def test_hidden_keys_are_not_read(kernels):
    case = Case(1, 2, 1, 3, 200, 16, 16)
    seen = np.zeros((3, 200), bool)
    seen[:, 40:50] = True
    case.k[:, :32] = case.k[:, 64:] = np.nan
    case.v[:, :32] = case.v[:, 64:] = np.nan
    assert np.isfinite(case.run(kernels["seen"], seen)).all()


def test_holes_in_the_mask_weigh_nothing(kernels):
    case = Case(1, 1, 1, 1, 12, 8, 8)
    seen = np.array([[True, False] * 6])
    np.testing.assert_allclose(case.run(kernels["seen"], seen), case.wanted(seen), atol=2e-6)


def test_a_row_without_any_key_gets_the_mean(kernels):
    """What a softmax over equal scores gives, and onnxruntime too with a finite mask value."""
    case = Case(1, 1, 1, 1, 40, 8, 8)
    out = case.run(kernels["seen"], np.zeros((1, 40), bool))
    np.testing.assert_allclose(out[0, 0, 0], case.v[0, :, 0].mean(0), atol=1e-6)


def test_bits_do_not_depend_on_the_capacity(kernels):
    """A longer cache whose tail is masked gives the same bits."""
    long = Case(1, 2, 1, 4, 256, 16, 16)
    seen = np.arange(256)[None] <= np.arange(4)[:, None] + 50
    short = Case(1, 2, 1, 4, 64, 16, 16)
    short.q, short.k, short.v = long.q, long.k[:, :64].copy(), long.v[:, :64].copy()
    one = long.run(kernels["seen"], seen)
    other = short.run(kernels["seen"], np.ascontiguousarray(seen[:, :64]))
    np.testing.assert_array_equal(one, other)
