from __future__ import annotations

import numpy as np
import pytest

from edgemoe import kv_cache
from edgemoe.targets.kernels.attention_kernel import Attention
from edgemoe.targets.kernels.mask_range import CLEAN, MEAN, MIXED, ZERO, MaskRange, ranges

SCALE = 0.3
KINDS = ("float", "seen", "hidden")
STORED = (("bfloat16", "bfloat16"), ("float16", "float16"), ("int8", "int8"), ("int8", "float32"),
          ("bfloat16", "int8"))  # fmt: skip


@pytest.fixture(scope="module")
def kernels(build):
    specs = {"none": Attention(SCALE, "none"), "clean": Attention(SCALE, "none", ranged=True)}
    specs |= {kind: Attention(SCALE, kind, ranged=True) for kind in KINDS}
    specs |= {f"range_{kind}": MaskRange(kind) for kind in KINDS}
    specs |= {
        f"{k} {v} {mask}": Attention(SCALE, "none", ranged=mask == "clean", k=k, v=v)
        for k, v in STORED for mask in ("none", "clean")
    }  # fmt: skip
    return build({**specs, "range_guarded": MaskRange("float", guarded=True)})


class Case:
    """[batch, row, head, size] tensors, as a reshaped projection gives them."""

    def __init__(self, batch, heads, group, queries, keys, size, value_size):
        chance = np.random.default_rng(0)
        self.shape = (batch, heads, group, queries, keys, size, value_size)
        make = lambda *shape: chance.standard_normal(shape).astype(np.float32)  # noqa: E731
        self.q = make(batch, queries, heads, size)
        self.k = make(batch, keys, heads // group, size)
        self.v = make(batch, keys, heads // group, value_size)
        self.stored = None

    def store(self, *dtypes):
        """Keep keys and values in narrow dtypes; k and v become what those stand for."""
        pairs = [kv_cache.narrow(x, d) if d != "float32" else (x, None)
                 for x, d in zip((self.k, self.v), dtypes, strict=True)]  # fmt: skip
        self.k, self.v = (kv_cache.widen(rows, scales, d)
                          for (rows, scales), d in zip(pairs, dtypes, strict=True))  # fmt: skip
        self.stored = [rows for rows, _ in pairs] + [s for _, s in pairs if s is not None]
        return self

    def run(self, call, mask=None, kind="seen", *, guarded=False, parts=1):
        """`mask` is [queries, keys]; a kernel that reads none of it takes only its ranges."""
        batch, heads, group, queries, keys, size, value_size = self.shape
        out = np.full((batch, queries, heads, value_size), np.nan, np.float32)
        pairs = heads // group
        strides = [
            queries * heads * size, size, heads * size,
            keys * pairs * size, size, pairs * size,
            keys * pairs * value_size, value_size, pairs * value_size,
            queries * heads * value_size, value_size, heads * value_size,
            0, 0, keys, 0, 0, 3,
        ]  # fmt: skip
        more = []
        if mask is not None:
            what = "seen" if kind == "clean" else kind
            more = [ranges(mask, what, guarded=guarded), *([] if kind == "clean" else [mask])]
        stored = self.stored or [self.k, self.v]
        tasks = Attention.tasks(batch, heads, group, queries)
        for part in range(parts):
            call(self.q, *stored[:2], out, *stored[2:], *more, heads, group, queries, keys, size,
                 value_size, *strides, tasks * part // parts,
                 tasks * (part + 1) // parts)  # fmt: skip
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


def tolerance(case):
    """Rounding of the scores, which grow with the head, shows in the weights."""
    return 2e-6 * max(1, case.shape[5] / 32)


CASES = [(1, 1, 1, 1, 1, 1, 1), (1, 4, 2, 5, 70, 16, 16), (2, 3, 1, 7, 33, 24, 40),
         (1, 6, 3, 9, 64, 33, 8), (1, 2, 2, 40, 40, 71, 50), (2, 8, 4, 1, 100, 32, 32),
         (1, 31, 31, 2, 50, 8, 7), (1, 1, 1, 130, 130, 128, 64)]  # fmt: skip


@pytest.mark.parametrize("shape", CASES, ids=str)
def test_all_masks(kernels, shape):
    case = Case(*shape)
    queries, keys = shape[3], shape[4]
    seen = np.arange(keys)[None] <= np.arange(queries)[:, None] + keys // 3
    seen[:, 0] = True
    added = np.where(seen, np.random.default_rng(1).standard_normal(seen.shape), -np.inf)
    np.testing.assert_allclose(case.run(kernels["none"]), case.wanted(), atol=tolerance(case))
    for kind, mask, wanted in (
        ("seen", seen, case.wanted(seen)), ("hidden", ~seen, case.wanted(seen)),
        ("clean", seen, case.wanted(seen)),
        ("float", added.astype(np.float32), case.wanted(added=added.astype(np.float32))),
    ):  # fmt: skip
        got = case.run(kernels[kind], np.ascontiguousarray(mask), kind)
        np.testing.assert_allclose(got, wanted, atol=tolerance(case), err_msg=kind)


@pytest.mark.parametrize("shape", CASES, ids=str)
def test_a_sliding_window(kernels, shape):
    case, (queries, keys) = Case(*shape), shape[3:5]
    behind = np.arange(queries)[:, None] + keys - queries - np.arange(keys)[None]
    seen = (behind >= 0) & (behind < 21)
    got = case.run(kernels["clean"], seen, "clean")
    np.testing.assert_allclose(got, case.wanted(seen), atol=tolerance(case))
    added = np.where(seen, np.float32(0), np.float32(-1e9))
    np.testing.assert_array_equal(case.run(kernels["float"], added, "float"), got)


NARROW = [(1, 1, 1, 1, 1, 16, 16), (1, 4, 2, 7, 70, 16, 16), (2, 3, 1, 1, 33, 32, 32),
          (1, 8, 4, 7, 100, 64, 64), (1, 6, 3, 7, 50, 80, 80), (1, 2, 2, 1, 40, 33, 7)]  # fmt: skip


@pytest.mark.parametrize("stored", STORED, ids=" ".join)
@pytest.mark.parametrize("shape", NARROW, ids=str)
def test_a_narrow_cache(kernels, shape, stored):
    """The only rounding is that of the cache; a window leaves out what it does not see."""
    case, (queries, keys) = Case(*shape).store(*stored), shape[3:5]
    name = " ".join(stored)
    got = case.run(kernels[f"{name} none"])
    np.testing.assert_allclose(got, case.wanted(), atol=tolerance(case))
    behind = np.arange(queries)[:, None] + keys - queries - np.arange(keys)[None]
    seen = (behind >= 0) & (behind < 21)
    got = case.run(kernels[f"{name} clean"], seen, "clean")
    np.testing.assert_allclose(got, case.wanted(seen), atol=tolerance(case))


@pytest.mark.parametrize("stored", STORED[:2], ids=" ".join)
def test_widening_16_bits_changes_no_bit(kernels, stored):
    case = Case(1, 6, 3, 7, 90, 40, 24).store(*stored)
    seen = np.arange(90)[None] <= np.arange(7)[:, None] + 20
    got = case.run(kernels[f"{' '.join(stored)} clean"], seen, "clean")
    case.stored = None
    np.testing.assert_array_equal(got, case.run(kernels["clean"], seen, "clean"))


def test_a_spoilt_row_of_int8_shows_only_where_it_is_seen(kernels):
    case = Case(1, 1, 1, 2, 70, 8, 8)
    case.k[0, 45, 0, 3] = np.inf
    case.v[0, 45, 0, 5] = np.nan
    case.store("int8", "int8")
    seen = np.ones((2, 70), bool)
    seen[1, 45:] = False
    out = case.run(kernels["int8 int8 clean"], seen[1:].repeat(2, 0), "clean")
    assert np.isfinite(out).all()
    assert np.isnan(case.run(kernels["int8 int8 none"])).all()


def test_hidden_keys_are_not_read(kernels):
    case = Case(1, 2, 1, 3, 200, 16, 16)
    seen = np.zeros((3, 200), bool)
    seen[:, 40:50] = True
    case.k[:, :32] = case.k[:, 64:] = np.nan
    case.v[:, :40] = case.v[:, 50:] = np.nan
    assert np.isfinite(case.run(kernels["seen"], seen)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_holes_in_the_mask_weigh_nothing(kernels, kind):
    case = Case(1, 1, 1, 3, 75, 8, 8)
    seen = np.random.default_rng(2).random((3, 75)) < 0.4
    mask = {"seen": seen, "hidden": ~seen, "float": np.where(seen, 0, -np.inf).astype(np.float32)}
    got = case.run(kernels[kind], mask[kind], kind)
    np.testing.assert_allclose(got, case.wanted(seen), atol=tolerance(case))


def test_a_row_without_any_key_gets_the_mean(kernels):
    """What a softmax over equal scores gives, and onnxruntime too with a finite mask value."""
    case = Case(1, 1, 1, 2, 40, 8, 8)
    seen = np.zeros((2, 40), bool)
    seen[1, 3] = True
    out = case.run(kernels["seen"], seen)
    np.testing.assert_allclose(out[0, 0, 0], case.v[0, :, 0].mean(0), atol=1e-6)
    np.testing.assert_allclose(out[0, 1, 0], case.v[0, 3, 0], atol=1e-6)


def test_a_row_of_minus_infinity_behind_a_guard_gives_zeros(kernels):
    case = Case(1, 1, 1, 2, 40, 8, 8)
    added = np.full((2, 40), -np.inf, np.float32)
    added[1] = np.finfo(np.float32).min
    out = case.run(kernels["float"], added, "float", guarded=True)
    np.testing.assert_array_equal(out[0, 0, 0], 0)
    np.testing.assert_allclose(out[0, 1, 0], case.v[0, :, 0].mean(0), atol=1e-6)


def test_nan_in_a_key_that_is_seen_stays(kernels):
    case = Case(1, 1, 1, 2, 40, 8, 8)
    case.k[0, 5, 0, 0] = np.nan
    seen = np.ones((2, 40), bool)
    seen[1, 5:] = False
    out = case.run(kernels["seen"], seen)
    assert np.isnan(out[0, 0]).all() and np.isfinite(out[0, 1]).all()


def test_bits_do_not_depend_on_the_capacity(kernels):
    """A longer cache whose tail is masked gives the same bits."""
    long = Case(1, 2, 1, 4, 256, 16, 16)
    seen = np.arange(256)[None] <= np.arange(4)[:, None] + 50
    short = Case(1, 2, 1, 4, 64, 16, 16)
    short.q, short.k, short.v = long.q, long.k[:, :64].copy(), long.v[:, :64].copy()
    one = long.run(kernels["seen"], seen)
    other = short.run(kernels["seen"], np.ascontiguousarray(seen[:, :64]))
    np.testing.assert_array_equal(one, other)


def test_bits_do_not_depend_on_other_queries_or_heads(kernels):
    whole = Case(1, 6, 3, 37, 90, 40, 40)
    seen = np.arange(90)[None] <= np.arange(37)[:, None] + 20
    wanted = whole.run(kernels["clean"], seen, "clean", parts=3)
    for query in (0, 5, 36):
        one = Case(1, 6, 3, 1, 90, 40, 40)
        one.q, one.k, one.v = whole.q[:, query : query + 1].copy(), whole.k, whole.v
        got = one.run(kernels["clean"], seen[query : query + 1].copy(), "clean")
        np.testing.assert_array_equal(got[:, 0], wanted[:, query])
        alone = Case(1, 2, 1, 1, 90, 40, 40)
        alone.q, alone.k, alone.v = one.q[:, :, ::3].copy(), whole.k, whole.v
        got = alone.run(kernels["clean"], seen[query : query + 1].copy(), "clean")
        np.testing.assert_array_equal(got[:, 0], wanted[:, query, ::3])


@pytest.mark.parametrize("keys", [1, 7, 8, 33, 100])
@pytest.mark.parametrize("name", ["float", "seen", "hidden", "guarded"])
def test_ranges_of_masks(kernels, name, keys):
    kind = "float" if name == "guarded" else name
    behind = np.arange(keys)[:, None] - np.arange(keys)[None]
    seen = np.concatenate(
        [behind >= 0, (behind >= 0) & (behind < 5), np.abs(behind) != 2, np.zeros((2, keys), bool)]
    )
    mask = {"seen": seen, "hidden": ~seen}.get(kind)
    if mask is None:
        mask = np.where(seen, np.float32(0), np.float32(-np.inf))
        mask[0, 0] = 0.25
        mask[-1] = -1e9
    out = np.empty((len(mask), 3), np.int32)
    kernels[f"range_{name}"](mask, out, keys, 0, len(mask))
    np.testing.assert_array_equal(out, ranges(mask, kind, guarded=name == "guarded"))
    expected = {CLEAN, MEAN} | ({ZERO} if name == "guarded" else set())
    assert expected <= set(out[:, 2]) and (keys < 7 or MIXED in out[:, 2])
