"""Products of bfloat16 rows and weights against NumPy: odd sizes, every instruction set.

AVX-512 BF16 is also run with its instruction by hand, for CPUs that have none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tvm import tirx

from edgemoe.bfloat16 import from_bfloat16, to_bfloat16
from edgemoe.targets.kernels import bfloat16_dots
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.experts import Experts
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.panels import input_pairs, pack, pack_ports, panel_bytes
from edgemoe.targets.kernels.round_rows import RoundRows
from edgemoe.weight_format import BF16_A16

from .conftest import HOST

PRODUCT = Linear(ex.Apply("Add", (ex.Port(), ex.Operand(0, "column"))), BF16_A16)
ROUTED = Experts(
    ex.Apply("Mul", (ex.Port(0), ex.Port(1))), 2, "token", "slot", BF16_A16
)  # fmt: skip
KERNELS = {"rows": RoundRows(), "product": PRODUCT, "experts": ROUTED}

BETWEEN = 2e-6
"""RMS between float32 sums in our order and float64: `bfdot` rounds sums to odd, not to nearest."""


class ByHand(bfloat16_dots.Avx512):
    """What `vdpbf16ps` does, by other instructions; odd inputs first, as Intel's manual has it."""

    def add(self, total, inputs, weights):
        for value, weight in zip(self._halves(inputs[0]), self._halves(weights[0]), strict=True):
            total = total + value * weight
        return total

    def _halves(self, words):
        wide = bfloat16_dots.Bf16Dot(self.lanes).weights(words)
        return [tirx.reinterpret(f"float32x{self.lanes}", half) for half in reversed(wide)]


@pytest.fixture(scope="module")
def kernels(build_for, bf16_isa):
    return build_for(bf16_isa, KERNELS)


@pytest.fixture(scope="module")
def by_hand(build_for):
    """The tiles of AVX-512 BF16 without the instruction."""
    if not HOST:
        pytest.skip("needs an x86-64 CPU with AVX2")
    target, isa = HOST[0]
    bfloat16_dots.KINDS["by hand"] = ByHand
    try:
        return build_for((target, replace(isa, lanes=16, bf16="by hand")), KERNELS)
    finally:
        bfloat16_dots.KINDS.pop("by hand")


def data(rows, depth, columns, seed=0):
    chance = np.random.default_rng(seed)
    a = chance.standard_normal((rows, depth)).astype(np.float32)
    return a, (chance.standard_normal((columns, depth)) / np.sqrt(depth)).astype(np.float32)


def exact(values):
    """The nearest bfloat16, in float64."""
    return from_bfloat16(to_bfloat16(values)).astype(np.float64)


def bias_of(columns):
    return np.linspace(-1, 1, columns, dtype=np.float32)


def rounded(kernels, a):
    rows, depth = a.shape
    words = np.full((rows, 2 * input_pairs(depth)), -1, np.int32)
    kernels["rows"](a, words, depth, 0, rows)
    return words


def run(kernels, a, w):
    (rows, depth), columns = a.shape, len(w)
    out = np.full((rows, columns), np.nan, np.float32)
    kernels["product"](
        rounded(kernels, a), pack(w, BF16_A16), out, bias_of(columns), rows, depth, columns, 0,
        PRODUCT.tasks(rows, columns),
    )  # fmt: skip
    return out


SIZES = pytest.mark.parametrize(("rows", "depth", "columns"), [
    (1, 512, 64), (1, 3, 33), (2, 33, 31), (3, 1, 1), (4, 2, 40), (5, 64, 33), (7, 101, 70),
    (12, 40, 65), (13, 130, 32), (49, 256, 40),
])  # fmt: skip


@SIZES
def test_products(kernels, rms, rows, depth, columns):
    a, w = data(rows, depth, columns)
    assert rms(run(kernels, a, w), exact(a) @ exact(w).T + bias_of(columns)) < BETWEEN


@SIZES
def test_the_tiles_of_avx512(by_hand, rms, rows, depth, columns):
    a, w = data(rows, depth, columns)
    assert rms(run(by_hand, a, w), exact(a) @ exact(w).T + bias_of(columns)) < BETWEEN


def test_rows_are_rounded_as_well_as_weights(kernels, rms):
    """About 1.4 times the error of rounding one of them."""
    a, w = data(64, 512, 64)
    got = run(kernels, a, w) - bias_of(64)
    wanted = a.astype(np.float64) @ w.T
    one = rms(a.astype(np.float64) @ exact(w).T, wanted)
    assert 1.2 * one < rms(got, wanted) < 1.6 * one


@pytest.mark.parametrize("depth", [1, 63, 300])
def test_bits_of_a_row_do_not_depend_on_the_others(kernels, depth):
    a, w = data(23, depth, 65)
    whole = run(kernels, a, w)
    for row in (0, 1, 4, 5, 21, 22):
        np.testing.assert_array_equal(run(kernels, a[row : row + 1].copy(), w)[0], whole[row])


def test_rows_are_rounded_to_nearest_even(kernels):
    """Ties, both infinities, what becomes infinite, signed zeros, and NaNs of every payload."""
    bits = np.concatenate([
        np.random.default_rng(0).integers(0, 1 << 32, 4000, np.uint32),
        np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F800000, 0xFF800000, 0x7F7FFFFF,
                  0x80000000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0xFF800001], np.uint32),
    ])  # fmt: skip
    a = bits.view(np.float32).reshape(3, -1)
    words = rounded(kernels, a)
    depth = a.shape[1]
    halves = words.reshape(-1)[: 3 * input_pairs(depth)].view(np.uint16).reshape(3, -1)
    if (words[:, 0] & 0xFFFF == 0).all():  # as float32
        halves = (words.view(np.uint32) >> 16).astype(np.uint16)
    assert (halves[:, depth:] == 0).all()
    got, wanted = halves[:, :depth], to_bfloat16(a)
    nan = np.isnan(a)
    assert nan.sum() > 10 and np.isnan(from_bfloat16(got[nan])).all()
    np.testing.assert_array_equal(got[~nan], wanted[~nan])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row(kernels, bad):
    a, w = data(5, 70, 40)
    a[2, 69] = bad
    got = run(kernels, a, w)
    assert not np.isfinite(got[2]).any() and np.isfinite(got[[0, 1, 3, 4]]).all()


@pytest.mark.parametrize("tokens", [1, 7, 33])
def test_experts(kernels, rms, tokens):
    """Every slot gets its expert's columns; an expert that nobody chose is not read."""
    experts, chosen, depth, columns = 5, 2, 71, 41
    chance = np.random.default_rng(1)
    a, _ = data(tokens, depth, 1)
    weights = [data(1, depth, columns, 2 * e)[1] for e in range(2 * experts)]
    ids = np.stack([chance.permutation(experts - 1)[:chosen] for _ in range(tokens)]).reshape(-1)
    order = np.argsort(ids, kind="stable").astype(np.int32)
    offsets = np.searchsorted(ids[order], np.arange(experts + 1)).astype(np.int32)
    used = np.unique(ids)
    active = np.array([len(used), *used], np.int32)
    packed = np.stack([pack_ports(weights[2 * e : 2 * e + 2], BF16_A16) for e in range(experts)])
    out = np.full((ids.size, columns), np.nan, np.float32)
    kernels["experts"](
        rounded(kernels, a), packed, out, order, offsets, active, depth, columns,
        ROUTED.panels(columns), chosen, tokens, 0, ROUTED.tasks(columns)[0] * len(used),
    )  # fmt: skip
    left, right = (
        np.stack([exact(weights[2 * e + port]) @ exact(a[slot // chosen])
                  for slot, e in enumerate(ids)])
        for port in range(2)
    )  # fmt: skip
    assert rms(out, left * right) < BETWEEN


def test_pairs_lie_side_by_side_and_are_filled_up():
    """Inputs 0 and 1 of a column share a word; five inputs take as many bytes as eight."""
    w = np.arange(32 * 5, dtype=np.float32).reshape(32, 5)
    (panel,) = pack(w, BF16_A16)
    assert panel.nbytes == panel_bytes(5, BF16_A16) == panel_bytes(8, BF16_A16) == 4 * 4 * 32
    halves = from_bfloat16(panel.view(np.uint16)).reshape(2, 4, 16, 2)  # [half, pair, column, 2]
    np.testing.assert_array_equal(halves[0, 0, 3], w[3, :2])
    np.testing.assert_array_equal(halves[1, 2, 15], [w[31, 4], 0])
    assert (halves[:, 3] == 0).all()
