"""Norms, softmax, routers, rows: against NumPy, at odd sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgemoe.targets.kernels.norm import Norm
from edgemoe.targets.kernels.route import Route
from edgemoe.targets.kernels.rows import Rows
from edgemoe.targets.kernels.softmax import Softmax
from edgemoe.targets.kernels.topk import TopK

PLAIN = {
    "score": "softmax", "bias": False, "groups": 1, "top_groups": 1, "group_score": "max",
    "softmax_after": False, "sigmoid_after": False, "renormalise": False, "eps": 0.0,
    "eps_mode": "add", "scale": 1.0, "largest": True,
}  # fmt: skip
DEEPSEEK = {
    **PLAIN, "score": "sigmoid", "bias": True, "groups": 4, "top_groups": 2, "group_score": "sum2",
    "renormalise": True, "eps": 1e-20, "scale": 2.5,
}  # fmt: skip
AFTER = {**PLAIN, "score": "none", "softmax_after": True}
SELECTING = {"plain": PLAIN, "after": AFTER, "smallest": {**AFTER, "largest": False}}
WIDTHS = [(1, 1), (3, 2), (7, 2), (8, 2), (60, 4), (64, 8), (257, 9), (512, 512)]


@pytest.fixture(scope="module")
def kernels(build):
    return build(
        {
            "layer": Norm("layer", True, True, 1e-5), "rms": Norm("rms", True, False, 1e-6),
            "softmax": Softmax(), "plain": Route(**PLAIN), "deepseek": Route(**DEEPSEEK),
            "largest": TopK("float32", True), "least": TopK("float32", False),
            "largest_int64": TopK("int64", True), "largest_float64": TopK("float64", True),
            "after": Route(**AFTER), "smallest": Route(**{**AFTER, "largest": False}),
            "gather": Rows(False, "int64"), "scatter": Rows(True, "int64"),
        }
    )  # fmt: skip


SIZES = [(1, 1), (3, 7), (5, 16), (2, 33), (4, 257)]


@pytest.mark.parametrize(("rows", "width"), SIZES)
def test_layer_norm(kernels, rows, width):
    chance = np.random.default_rng(0)
    x = (chance.standard_normal((rows, width)) * 3 + 5).astype(np.float32)
    scale, shift = (chance.standard_normal(width).astype(np.float32) for _ in range(2))
    out = np.empty_like(x)
    kernels["layer"](x, out, scale, shift, width, 0, rows)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift
    np.testing.assert_allclose(out, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("rows", "width"), SIZES)
def test_rms_norm_in_place(kernels, rows, width):
    chance = np.random.default_rng(1)
    x = chance.standard_normal((rows, width)).astype(np.float32)
    scale = chance.standard_normal(width).astype(np.float32)
    wide = x.astype(np.float64)
    wanted = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-6) * scale
    kernels["rms"](x, x, scale, width, 0, rows)
    np.testing.assert_allclose(x, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("rows", "width"), SIZES)
def test_softmax(kernels, rows, width):
    x = (np.random.default_rng(2).standard_normal((rows, width)) * 20).astype(np.float32)
    out = np.empty_like(x)
    kernels["softmax"](x, out, width, 0, rows)
    e = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    np.testing.assert_allclose(out, e / e.sum(-1, keepdims=True), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("spread", [0.1, 1, 4, 16])
@pytest.mark.parametrize("width", [7, 33, 256, 1000])
def test_softmax_within_the_stated_units_in_the_last_place(kernels, spread, width):
    x = np.random.default_rng(width).standard_normal((max(4, 8000 // width), width))
    x = (spread * x).astype(np.float32)
    out = np.empty_like(x)
    kernels["softmax"](x, out, width, 0, len(x))
    below = x.astype(np.float64) - x.max(-1, keepdims=True)
    wanted = np.exp(below) / np.exp(below).sum(-1, keepdims=True)
    unit = np.spacing(wanted.astype(np.float32)).astype(np.float64)
    normal = wanted > 1e-37
    assert ((np.abs(out - wanted) / unit - np.abs(below))[normal] <= 8).all()


def route(kernels, name, logits, chosen, bias=None):
    tokens, experts = logits.shape
    ids = np.full((tokens, chosen), -1, np.int64)
    weights = np.full((tokens, chosen), np.nan, np.float32)
    more = [] if bias is None else [bias]
    kernels[name](logits, *more, ids, weights, experts, chosen, 0, tokens)
    return ids, weights


def test_softmax_router_with_ties(kernels):
    logits = np.array([[0, 3, 3, 1], [2, 2, 2, 2]], np.float32)
    ids, weights = route(kernels, "plain", logits, 2)
    np.testing.assert_array_equal(ids, [[1, 2], [0, 1]])
    e = np.exp(logits - logits.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    np.testing.assert_allclose(weights, np.take_along_axis(p, ids, 1), rtol=1e-6)


@pytest.mark.parametrize("name", ["after", "smallest"])
def test_softmax_over_the_chosen(kernels, name):
    logits = np.random.default_rng(3).standard_normal((9, 7)).astype(np.float32)
    ids, weights = route(kernels, name, logits, 3)
    sign = 1 if name == "smallest" else -1
    np.testing.assert_array_equal(ids, np.argsort(sign * logits, -1, kind="stable")[:, :3])
    picked = np.take_along_axis(logits, ids, 1)
    e = np.exp(picked - picked.max(-1, keepdims=True))
    np.testing.assert_allclose(weights, e / e.sum(-1, keepdims=True), rtol=1e-6)


def test_group_limited_router_with_a_bias_that_only_selects(kernels):
    chance = np.random.default_rng(4)
    logits = chance.standard_normal((33, 16)).astype(np.float32)
    bias = chance.standard_normal(16).astype(np.float32)
    ids, weights = route(kernels, "deepseek", logits, 4, bias)
    for token in range(33):
        score = 1 / (1 + np.exp(-logits[token].astype(np.float64)))
        choice = score + bias
        groups = np.sort(choice.reshape(4, 4), -1)[:, -2:].sum(-1)
        kept = np.argsort(-groups, kind="stable")[:2]
        masked = np.where(np.isin(np.arange(16) // 4, kept), choice, -np.inf)
        wanted = np.argsort(-masked, kind="stable")[:4]
        np.testing.assert_array_equal(ids[token], wanted)
        picked = score[wanted]
        np.testing.assert_allclose(weights[token], picked / picked.sum() * 2.5, rtol=1e-5)


@pytest.fixture(scope="module")
def known(build):
    """Routers that know the number of their experts, by selection and number."""
    return build(
        {
            f"{name}{experts}": Route(**given, known_experts=experts)
            for name, given in SELECTING.items()
            for experts, _ in WIDTHS
        }
        | {"deepseek12": Route(**DEEPSEEK, known_experts=12)}
    )


@pytest.mark.parametrize(("experts", "chosen"), WIDTHS)
@pytest.mark.parametrize("name", SELECTING)
@pytest.mark.parametrize("is_known", [False, True])
def test_selection_at_all_widths(kernels, known, name, experts, chosen, is_known):
    kernel = known[f"{name}{experts}"] if is_known else kernels[name]
    logits = np.random.default_rng(3).standard_normal((3, experts)).astype(np.float32)
    logits[1] = np.round(logits[1])  # ties, and zeros of both signs
    logits[2, ::3] = np.float32(-0.0)
    ids, weights = np.empty((3, chosen), np.int64), np.empty((3, chosen), np.float32)
    kernel(logits, ids, weights, experts, chosen, 0, 3)
    order = logits if name == "smallest" else -logits
    np.testing.assert_array_equal(ids, np.argsort(order, axis=-1, kind="stable")[:, :chosen])
    wide = logits.astype(np.float64)
    e = np.exp(wide - wide.max(-1, keepdims=True))
    scores = np.take_along_axis(e, ids, -1)
    wanted = scores / (e if name == "plain" else scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(weights, wanted, rtol=1e-6 + chosen * 2**-25)


def test_zeros_of_both_signs_are_equal_without_vectors(isa, build_for):
    target, given = isa
    one_lane = replace(given, lanes=1)
    kernel = build_for((target, one_lane), {"after": Route(**AFTER)})["after"]
    logits = np.array([[-0.0, 0.0, -0.0, -1.0, 0.0]], np.float32)
    ids, weights = np.empty((1, 4), np.int64), np.empty((1, 4), np.float32)
    kernel(logits, ids, weights, 5, 4, 0, 1)
    np.testing.assert_array_equal(ids, [[0, 1, 2, 4]])


def test_a_router_of_a_known_number_of_experts_with_groups_and_a_bias(kernels, known):
    chance = np.random.default_rng(5)
    logits = chance.standard_normal((5, 12)).astype(np.float32)
    bias = chance.standard_normal(12).astype(np.float32)
    (ids, weights), (other, others) = (
        route(built, name, logits, 4, bias)
        for built, name in ((known, "deepseek12"), (kernels, "deepseek"))
    )
    np.testing.assert_array_equal(ids, other)
    np.testing.assert_allclose(weights, others, rtol=1e-6)


def test_a_router_with_nan_still_chooses_experts_that_exist(kernels):
    logits = np.full((2, 9), np.nan, np.float32)
    logits[1] = -np.inf
    logits[1, 4] = -np.float32(np.nan)
    ids, weights = np.empty((2, 3), np.int64), np.empty((2, 3), np.float32)
    kernels["after"](logits, ids, weights, 9, 3, 0, 2)
    np.testing.assert_array_equal(ids, [[0, 1, 2], [4, 0, 1]])


def best(x, k, *, largest):
    """Stable; NaN above all numbers."""
    x = x.astype(np.float64)
    order = np.lexsort((-x if largest else x, np.isnan(x) != largest), axis=-1)
    return order[:, :k]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 9, 4), (2, 64, 8), (2, 333, 333), (2, 1500, 40)])
@pytest.mark.parametrize("name", ["largest", "least", "largest_int64", "largest_float64"])
def test_topk(kernels, name, shape):
    rows, width, k = shape
    dtype = np.dtype(name.split("_")[1] if "_" in name else "float32")
    x = (np.random.default_rng(4).standard_normal((rows, width)) * 5).astype(dtype)
    x[0] = np.round(x[0])
    if dtype.kind == "f":
        x[-1, ::7] = -np.nan
    values, indices = np.empty((rows, k), dtype), np.empty((rows, k), np.int64)
    kernels[name](x, values, indices, width, k, 0, rows)
    wanted = best(x, k, largest=name != "least")
    np.testing.assert_array_equal(indices, wanted)
    np.testing.assert_array_equal(values, np.take_along_axis(x, wanted, -1))


def test_rows_from_a_user_never_leave_the_table(kernels):
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    numbers = np.array([0, 3, -1, 4, -9, 1 << 40], np.int64)
    out = np.empty((6, 3), np.float32)
    kernels["gather"](table, numbers, out, 12, 4, 0, 6)
    np.testing.assert_array_equal(out, table[[0, 3, 3, 3, 0, 3]])
    guarded = np.full((6, 3), 7, np.float32)
    new = np.arange(18, dtype=np.float32).reshape(6, 3) + 100
    kernels["scatter"](guarded[1:5], numbers, new, 12, 4, 6, 0, 1)
    np.testing.assert_array_equal(guarded[[0, 5]], 7)
    np.testing.assert_array_equal(guarded[1], new[0])
    np.testing.assert_array_equal(guarded[4], new[2])  # -1 came after 3: the last one wins
    np.testing.assert_array_equal(guarded[2:4], 7)
