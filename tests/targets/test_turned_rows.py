"""Rotary embeddings that their reader computes: bit by bit what the step of their own gives."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.targets.kernels.append import Append
from edgemoe.targets.kernels.attention_kernel import Attention
from edgemoe.targets.kernels.rotary import Rotary
from edgemoe.targets.kernels.rotary_scatter import RotaryScatter
from edgemoe.targets.kernels.scatter import ScatterRows

FORMS = {f"{p}_{n}": Rotary(p, n == "narrow") for p in ("half", "pair") for n in ("wide", "narrow")}
NARROW = {"half_narrow": "int8", "pair_wide": "bfloat16", "half_wide": "bfloat16"}
"""Of the combinations of a form and how a cache is stored."""

SHAPES = pytest.mark.parametrize(
    ("heads", "rows", "width", "turned"),
    [(2, 1, 2, 2), (3, 5, 32, 32), (4, 7, 40, 10), (2, 30, 70, 66), (6, 1, 64, 64)],
)  # fmt: skip
ALL = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def kernels(build):
    specs = {}
    for name, form in FORMS.items():
        specs[name] = form
        specs[f"{name}_attention"] = Attention(0.3, "none", turns=form)
        specs[f"{name}_scatter"] = RotaryScatter(form, "int64")
    specs |= {
        "attention": Attention(0.3, "none"),
        "scatter": ScatterRows("float32", "int64", "none", 1),
    }
    for name, dtype in NARROW.items():
        specs[f"{name}_append"] = Append(dtype, "int64", 1, 1, FORMS[name])
        specs[dtype] = Append(dtype, "int64", 1, 1)
    return build(specs)


class Rows:
    """x [rows, head, 3 + width], a slice of a projection; cos and sin [rows, turned] or half."""

    def __init__(self, form, heads, rows, width, turned):
        chance = np.random.default_rng(0)
        self.shape = (heads, rows, width, turned)
        self.x = chance.standard_normal((rows, heads, 3 + width)).astype(np.float32)
        columns = turned // 2 if FORMS[form].narrow else turned
        self.tables = [chance.standard_normal((rows, columns)).astype(np.float32) for _ in "cs"]
        line = 3 + width
        # Of a result [head, row, width]: strides of x, cos and sin by batch, head and row.
        self.strides = [0, line, heads * line, *[0, 0, columns] * 2]

    @property
    def pointers(self):
        return [self.x, *self.tables]

    @property
    def by_token(self):
        """The strides where rows come before heads."""
        s = self.strides
        return [n for i in (0, 3, 6) for n in (s[i], s[i + 2], s[i + 1])]

    def turned(self, call, *, by_token):
        """The result of the step: [rows, heads, width] or [heads, rows, width]."""
        heads, rows, width, turned = self.shape
        lead = (rows, heads) if by_token else (heads, rows)
        out = np.full((*lead, width), np.nan, np.float32)
        strides = self.by_token if by_token else self.strides
        call(*self.pointers, out, 3, *lead, turned, width, *strides, 0, lead[1])
        return out


@ALL
@SHAPES
def test_queries_of_attention(kernels, form, heads, rows, width, turned):
    given, chance = Rows(form, heads, rows, width, turned), np.random.default_rng(1)
    keys, group = 70, 1
    k, v = (chance.standard_normal((heads, keys, width)).astype(np.float32) for _ in "kv")
    q = given.turned(kernels[form], by_token=False)
    sizes = [heads, group, rows, keys, width, width]
    one = [heads * rows * width, rows * width, width]
    strides = [*one, *[heads * keys * width, keys * width, width] * 2, *one, *[0] * 6]
    tasks = Attention.tasks(1, heads, group, rows)
    wanted, got = np.zeros_like(q), np.zeros_like(q)
    kernels["attention"](q, k, v, wanted, *sizes, *strides, 0, tasks)
    place = np.full_like(q, np.nan)
    for task in range(tasks):
        kernels[f"{form}_attention"](
            place, k, v, got, *given.pointers, *sizes, *strides, 3, turned, *given.strides,
            task, task + 1,
        )  # fmt: skip
    np.testing.assert_array_equal(place, q)
    np.testing.assert_array_equal(got, wanted)


PLACES = np.array([2, -1, 5, 5, 11, -12, 0], np.int64)
CAPACITY = 11


@ALL
@pytest.mark.parametrize(("heads", "width", "turned"), [(1, 2, 2), (3, 40, 10), (2, 64, 64)])
def test_new_keys_of_a_float32_cache(kernels, form, heads, width, turned):
    """Places that count from the end, one taken twice, and two outside."""
    given = Rows(form, heads, len(PLACES), width, turned)
    new = given.turned(kernels[form], by_token=True)
    wanted, got = (np.full((CAPACITY, heads, width), 7, np.float32) for _ in range(2))
    kernels["scatter"](wanted, PLACES, new, len(PLACES), heads * width, CAPACITY, 0,
                       -(-heads * width // 64))  # fmt: skip
    for head in range(heads):
        kernels[f"{form}_scatter"](
            got, PLACES, *given.pointers, CAPACITY, len(PLACES), heads, width, 3, turned,
            *given.by_token, head, head + 1,
        )  # fmt: skip
    assert (wanted != 7).any(1).any(1).sum() == 4
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("form", NARROW)
@pytest.mark.parametrize(("heads", "width", "turned"), [(1, 2, 2), (3, 40, 10), (2, 64, 64)])
def test_new_keys_of_a_narrow_cache(kernels, form, heads, width, turned):
    dtype = NARROW[form]
    given, count = Rows(form, heads, len(PLACES), width, turned), len(PLACES)
    new = given.turned(kernels[form], by_token=True)
    stored = np.int8 if dtype == "int8" else np.uint16
    numbers = [width, count, heads, heads, 1, CAPACITY, heads, 1, heads, 1]
    made = []
    for name, source, pointers, more in (
        (dtype, new, [], []),
        (f"{form}_append", np.full_like(new, np.nan), given.pointers,
         [count, heads, 3, turned, *given.by_token]),
    ):  # fmt: skip
        cache = np.full((CAPACITY, heads, width), 77, stored)
        scales = [np.full((CAPACITY, heads), 7, np.float32)] if dtype == "int8" else []
        for task in range(heads):
            kernels[name](
                source, cache, *scales, PLACES, *pointers, *numbers, *more, task, task + 1
            )
        made.append([cache, *scales])
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (made[0][0] != 77).any()
