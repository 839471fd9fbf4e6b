"""Attention on GPUs against its definition: groups, masks, rows that see nothing, long caches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgemoe.targets.kernels.attention_kernel import Attention
from edgemoe.targets.kernels.gpu.attention import splits_for, stand_in
from edgemoe.targets.kernels.gpu.call import Call, Chain
from edgemoe.targets.kernels.mask_range import ranges
from edgemoe.targets.spec import load_target
from tests.gpu.launch import DEVICES, launch

pytestmark = pytest.mark.needs("device:opencl", "device:webgpu")

SCALE = 0.3


def launched(device: str, made: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """`launch` of a kernel, or of the kernels of a chain one after another."""
    if not isinstance(made, Chain):
        return launch(device, made, arrays)
    # What no thread writes must not matter: NaN spreads.
    arrays = [*arrays, *(np.full(n, np.nan, np.float32) for n in made.temporaries)]
    for link in made.links:
        results = launch(device, link.kernel, [arrays[i] for i in link.pointers])
        for i, array in zip(link.pointers, results, strict=True):
            arrays[i] = array
    return arrays


def attend(
    device: str, shape: tuple[int, ...], mask: np.ndarray | None, kind: Any, *, whole: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(what the kernel gives, what it should); `whole`: the kernel reads the mask itself."""
    batch, heads, group, queries, keys, size, value_size = shape
    pairs, chance = heads // group, np.random.default_rng(0)
    q = chance.standard_normal((batch, queries, heads, size)).astype(np.float32)
    k = chance.standard_normal((batch, keys, pairs, size)).astype(np.float32)
    v = chance.standard_normal((batch, keys, pairs, value_size)).astype(np.float32)
    out = np.zeros((batch, queries, heads, value_size), np.float32)
    strides = [
        queries * heads * size, size, heads * size,
        keys * pairs * size, size, pairs * size,
        keys * pairs * value_size, value_size, pairs * value_size,
        queries * heads * value_size, value_size, heads * value_size,
        0, 0, keys, 0, 0, 3,
    ]  # fmt: skip
    spec = Attention(SCALE, kind if whole else "none", ranged=mask is not None)
    more = []
    if mask is not None:
        more = [ranges(mask, kind, guarded=False)]
        if whole:
            more.append(mask if kind == "float" else mask.astype(np.int32))
    arrays = [q, k, v, out, *more]
    facts = load_target(device).gpu
    assert facts is not None
    call = Call(
        spec, (heads, group, queries, keys, size, value_size, *strides),
        Attention.tasks(batch, heads, group, queries), tuple(a.size for a in arrays), facts,
    )  # fmt: skip
    found = launched(device, stand_in(call), arrays)[3]
    wide = [np.repeat(x.astype(np.float64), group, 2) for x in (k, v)]
    scores = np.einsum("bthd,bchd->bhtc", q.astype(np.float64), wide[0]) * SCALE
    if mask is not None and kind == "float":
        scores = scores + mask
    elif mask is not None:
        seen = mask if kind == "seen" else ~mask
        scores = np.where(seen, scores, -1e30)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return found, np.einsum("bhtc,bchd->bthd", weights, wide[1])


SHAPES = [
    (1, 4, 1, 1, 5, 8, 8), (2, 4, 2, 3, 70, 20, 12), (1, 8, 4, 1, 200, 64, 80),
    (1, 2, 1, 9, 64, 33, 130),
]  # fmt: skip


CASES = [("opencl", shape) for shape in SHAPES] + [("webgpu", SHAPES[1])]


@pytest.mark.parametrize(("device", "shape"), CASES)
def test_without_mask(device: str, shape: tuple[int, ...]) -> None:
    found, wanted = attend(device, shape, None, "none", whole=False)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize(
    ("device", "kind"),
    [("opencl", "seen"), ("opencl", "hidden"), ("opencl", "float"), ("webgpu", "seen")],
)
def test_masks_with_holes(device: str, kind: str) -> None:
    shape = (1, 4, 2, 6, 150, 16, 16)
    chance = np.random.default_rng(1)
    seen = chance.random((6, 150)) < 0.3
    seen[2] = False  # a row that sees nothing: the mean of all values
    seen[:, 0] |= np.arange(6) != 2
    seen[4, :] = False
    seen[4, 149] = True  # only the last key
    mask: np.ndarray = seen if kind == "seen" else ~seen
    if kind == "float":
        mask = np.where(seen, chance.standard_normal(seen.shape), -1e30).astype(np.float32)
    found, wanted = attend(device, shape, mask, kind, whole=True)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_ranges_stand_for_causal_and_windowed_masks(device: str) -> None:
    rows, keys = np.arange(9)[:, None], np.arange(200)[None]
    for mask in (keys <= rows + 120, (keys <= rows + 150) & (keys > rows + 100)):
        found, wanted = attend(device, (1, 2, 1, 9, 200, 16, 16), mask, "seen", whole=False)
        np.testing.assert_allclose(found, wanted, atol=2e-5)


LONG = (2, 4, 2, 1, 1000, 16, 24)


def test_how_many_work_groups_share_keys() -> None:
    """Short caches and many rows keep one; long ones have what the device can use."""
    facts = load_target("adreno").gpu
    assert facts is not None and facts.busy_groups == 16 and facts.threads == 128
    assert [splits_for(facts, 2, n) for n in (64, 511, 512, 1000, 4096)] == [1, 1, 2, 3, 8]
    assert [splits_for(facts, n, 4096) for n in (1, 5, 16, 100)] == [16, 4, 1, 1]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("position", [None, 0, 63, 64, 400, 999])
def test_work_groups_share_the_keys_of_long_caches(device: str, position: int | None) -> None:
    """At every position, with work-groups that have no key at all."""
    mask = None if position is None else (np.arange(1000) <= position)[None]
    found, wanted = attend(device, LONG, mask, "seen", whole=False)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_shared_keys_with_masks_that_are_read(device: str) -> None:
    chance = np.random.default_rng(1)
    mask = chance.random((1, 1000)) < 0.1
    mask[:, 300:500] = False
    found, wanted = attend(device, LONG, mask, "seen", whole=True)
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    found, wanted = attend(device, LONG, np.zeros_like(mask), "seen", whole=True)
    np.testing.assert_allclose(found, wanted, atol=2e-5)  # nothing seen: the mean of all
