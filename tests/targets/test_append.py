"""New rows of a cache: rounded as the reference says, to where the indices say, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe import kv_cache
from edgemoe.targets.kernels.append import Append
from edgemoe.targets.kernels.shift import Shift

DTYPES = ("bfloat16", "float16", "int8")
CAPACITY, HEADS = 11, 3


@pytest.fixture(scope="module")
def kernels(build):
    specs = {f"{dtype}_rows": Append(dtype, "int64", 1, 1) for dtype in DTYPES}
    specs |= {f"{dtype}_inner": Append(dtype, "int32", 1, 2) for dtype in DTYPES}
    return build({**specs, "shift": Shift()})


def rows(*shape):
    """Values of all sizes, a row of zeros, and ties between two codes."""
    chance = np.random.default_rng(len(shape) + shape[-1])
    values = chance.standard_normal(shape) * 10.0 ** chance.integers(-3, 4, (*shape[:-1], 1))
    values = values.astype(np.float32)
    values[0, 0] = 0.0
    values[-1, -1] = np.resize(np.float32([127.0, 0.5, -1.5, 2.5, 1.0039062]), shape[-1])
    return values


class Cache:
    """A cache full of something else than what is written."""

    def __init__(self, dtype, *shape):
        self.dtype = dtype
        stored = {"bfloat16": np.uint16, "float16": np.uint16, "int8": np.int8}[dtype]
        self.cells = np.full(shape, 77, stored)
        self.scales = np.full((*shape[:-1], 1), 7.0, np.float32)

    @property
    def pointers(self):
        return [self.cells, *([self.scales] if self.dtype == "int8" else [])]

    def expect(self, number, new):
        """Write `new` at `number` as the reference does."""
        stored, scales = kv_cache.narrow(new, self.dtype)
        self.cells[number] = stored.view(np.uint16) if self.dtype == "float16" else stored
        if scales is not None:
            self.scales[number] = scales


def same(one, other):
    np.testing.assert_array_equal(one.cells, other.cells)
    np.testing.assert_array_equal(one.scales, other.scales)


@pytest.mark.parametrize("width", [1, 7, 16, 32, 64, 80])
@pytest.mark.parametrize("tokens", [1, 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_a_cache_of_tokens(kernels, dtype, tokens, width):
    """[capacity, heads, width], as `cache[rows] = new` gives it."""
    new = rows(tokens, HEADS, width)
    places = np.array([2, -1, 0, 5, 5, CAPACITY, -CAPACITY - 1])[:tokens]
    got, wanted = (Cache(dtype, CAPACITY, HEADS, width) for _ in range(2))
    numbers = [width, tokens, HEADS, HEADS, 1, CAPACITY, HEADS, 1, HEADS, 1]
    for task in range(HEADS):
        kernels[f"{dtype}_rows"](new, *got.pointers, places, *numbers, task, task + 1)
    for place, row in zip(places, new, strict=True):
        if -CAPACITY <= place < CAPACITY:
            wanted.expect(place, row)
    same(got, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_along_an_inner_axis(kernels, dtype):
    """[batch, heads, capacity, width], as `cache.scatter(2, rows, new)` gives it."""
    batch, tokens, width = 2, 4, 20
    new = rows(batch, HEADS, tokens, width)
    chance = np.random.default_rng(0)
    places = chance.permuted(np.tile(np.arange(CAPACITY), (batch, HEADS, 1)), axis=2)
    places = np.ascontiguousarray(places[..., :tokens], np.int32)
    got, wanted = (Cache(dtype, batch, HEADS, CAPACITY, width) for _ in range(2))
    numbers = [width, tokens, 1, 1, 1, CAPACITY, 1,
               HEADS * tokens, batch, HEADS * CAPACITY, tokens, HEADS, CAPACITY]  # fmt: skip
    kernels[f"{dtype}_inner"](new, *got.pointers, places, *numbers, 0, batch * HEADS)
    for b, h, t in np.ndindex(batch, HEADS, tokens):
        wanted.expect((b, h, places[b, h, t]), new[b, h, t])
    same(got, wanted)


def test_a_row_with_a_nan_has_it_as_its_scale(kernels):
    new = rows(1, HEADS, 40)
    new[0, 0, 33], new[0, 1, 0] = np.nan, np.inf
    got = Cache("int8", CAPACITY, HEADS, 40)
    numbers = [40, 1, HEADS, HEADS, 1, CAPACITY, HEADS, 1, HEADS, 1]
    kernels["int8_rows"](new, *got.pointers, np.zeros(1, np.int64), *numbers, 0, HEADS)
    np.testing.assert_array_equal(np.isnan(got.scales[0, :, 0]), [True, True, False])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_is_not_finite_stays_so(kernels, dtype):
    new = np.float32([[[np.nan, np.inf, -np.inf, 1e30, -0.0, 1e-30, 65504.0, 65520.0]] * HEADS])
    got, wanted = (Cache(dtype, CAPACITY, HEADS, 8) for _ in range(2))
    numbers = [8, 1, HEADS, HEADS, 1, CAPACITY, HEADS, 1, HEADS, 1]
    kernels[f"{dtype}_rows"](new, *got.pointers, np.zeros(1, np.int64), *numbers, 0, HEADS)
    wanted.expect(0, new[0])
    np.testing.assert_array_equal(got.cells[0, :, 1:], wanted.cells[0, :, 1:])
    assert (got.cells[0, :, 0] & 0x7FFF > (0x7F80 if dtype == "bfloat16" else 0x7C00)).all()


def test_windows_move(kernels):
    source = np.arange(2 * CAPACITY * 5, dtype=np.int8).reshape(2, CAPACITY, 5)
    target = np.zeros_like(source)
    kernels["shift"](source, target, CAPACITY * 5, 3 * 5, 0, 2)
    np.testing.assert_array_equal(target[:, :-3], source[:, 3:])
    assert not target[:, -3:].any()
