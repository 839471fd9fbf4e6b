"""Products of rows and weights of 16 bits against NumPy: odd sizes, every instruction set.

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
from edgemoe.targets.kernels.panels import pack, pack_ports, panel_bytes
from edgemoe.targets.kernels.round_rows import RoundRows, row_words
from edgemoe.weight_format import BF16_A16, F16_A16, WeightFormat

from .conftest import HOST, owners

BIAS = ex.Apply("Add", (ex.Port(), ex.Operand(0, "column")))
GATED = ex.Apply("Mul", (ex.Port(0), ex.Port(1)))

BETWEEN = 2e-6
"""RMS between float32 sums in our order and float64: `bfdot` rounds sums to odd, not to nearest."""

OF_CHUNKS = (1e-4, 8e-4)
"""The same where sums of chunks are float16: a floor and a ceiling."""


class ByHand(bfloat16_dots.Avx512):
    """What `vdpbf16ps` does, by other instructions; odd inputs first, as Intel's manual has it."""

    def add(self, total, inputs, weights):
        for value, weight in zip(self._halves(inputs[0]), self._halves(weights[0]), strict=True):
            total = total + value * weight
        return total

    def _halves(self, words):
        wide = bfloat16_dots.Bf16Dot(self.lanes).weights(words)
        return [tirx.reinterpret(f"float32x{self.lanes}", half) for half in reversed(wide)]


class Kernels:
    """The kernels of one format for one instruction set."""

    def __init__(self, build_for, given: WeightFormat, where):
        self.given, (_, self.isa) = given, where
        self.product = Linear(BIAS, given)
        self.routed = Experts(GATED, 2, "token", "slot", given)
        self.built = build_for(
            where, {"rows": RoundRows(given), "product": self.product, "experts": self.routed}
        )

    @property
    def adds_halves(self):
        return self.given == F16_A16 and self.isa.f16 == "neon"

    def near(self, distance):
        """Whether an error is that of the sums."""
        low, high = OF_CHUNKS if self.adds_halves else (0, BETWEEN)
        return low <= distance < high

    def exact(self, values):
        """The nearest number of 16 bits, in float64."""
        if self.given == F16_A16:
            return values.astype(np.float16).astype(np.float64)
        return from_bfloat16(to_bfloat16(values)).astype(np.float64)

    def rounded(self, a):
        rows, depth = a.shape
        words = np.full((rows, row_words(depth, self.given)), np.nan, np.float32)
        self.built["rows"](a, words, depth, 0, rows)
        return words

    def run(self, a, w):
        (rows, depth), columns = a.shape, len(w)
        out = np.full((rows, columns), np.nan, np.float32)
        self.built["product"](
            self.rounded(a), pack(w, self.given), out, bias_of(columns), rows, depth, columns, 0,
            self.product.tasks(rows, columns),
        )  # fmt: skip
        return out


def cases(given, dot):
    return [
        pytest.param((given, p.values[0]), marks=p.marks, id=f"{given}-{p.id}")
        for p in owners(dot)
    ]  # fmt: skip


@pytest.fixture(scope="module", params=[*cases(BF16_A16, "bf16"), *cases(F16_A16, "f16")])
def kernels(request, build_for):
    given, where = request.param
    return Kernels(build_for, given, where)


@pytest.fixture(scope="module")
def by_hand(build_for):
    """The tiles of AVX-512 BF16 without the instruction."""
    if not HOST:
        pytest.skip("needs an x86-64 CPU with AVX2")
    target, isa = HOST[0]
    bfloat16_dots.KINDS["by hand"] = ByHand
    try:
        return Kernels(build_for, BF16_A16, (target, replace(isa, lanes=16, bf16="by hand")))
    finally:
        bfloat16_dots.KINDS.pop("by hand")


def data(rows, depth, columns, seed=0):
    chance = np.random.default_rng(seed)
    a = chance.standard_normal((rows, depth)).astype(np.float32)
    return a, (chance.standard_normal((columns, depth)) / np.sqrt(depth)).astype(np.float32)


def bias_of(columns):
    return np.linspace(-1, 1, columns, dtype=np.float32)


SIZES = pytest.mark.parametrize(("rows", "depth", "columns"), [
    (1, 512, 64), (1, 19, 33), (2, 33, 31), (4, 18, 40), (5, 64, 33), (7, 101, 70), (12, 40, 65),
    (13, 130, 32), (49, 256, 40),
])  # fmt: skip


def check(kernels, rms, rows, depth, columns):
    a, w = data(rows, depth, columns)
    wanted = kernels.exact(a) @ kernels.exact(w).T + bias_of(columns)
    assert kernels.near(rms(kernels.run(a, w), wanted))


@SIZES
def test_products(kernels, rms, rows, depth, columns):
    check(kernels, rms, rows, depth, columns)


@SIZES
def test_the_tiles_of_avx512(by_hand, rms, rows, depth, columns):
    check(by_hand, rms, rows, depth, columns)


@pytest.mark.parametrize(("rows", "depth", "columns"), [(1, 1, 1), (3, 2, 40), (4, 15, 32)])
def test_few_inputs(kernels, rows, depth, columns):
    """Less than a pair, less than a chunk."""
    a, w = data(rows, depth, columns)
    wanted = kernels.exact(a) @ kernels.exact(w).T + bias_of(columns)
    tolerance = 4e-3 if kernels.adds_halves else 1e-6
    np.testing.assert_allclose(kernels.run(a, w), wanted, rtol=0, atol=tolerance)


def test_rows_are_rounded_as_well_as_weights(kernels, rms):
    """About 1.4 times the error of rounding one of them; three times with sums of float16."""
    a, w = data(64, 512, 64)
    got = kernels.run(a, w) - bias_of(64)
    wanted = a.astype(np.float64) @ w.T
    one = rms(a.astype(np.float64) @ kernels.exact(w).T, wanted)
    low, high = (2, 4) if kernels.adds_halves else (1.2, 1.6)
    assert low * one < rms(got, wanted) < high * one


@pytest.mark.parametrize("depth", [1, 63, 300])
def test_bits_of_a_row_do_not_depend_on_the_others(kernels, depth):
    a, w = data(23, depth, 65)
    whole = kernels.run(a, w)
    for row in (0, 1, 4, 5, 21, 22):
        np.testing.assert_array_equal(kernels.run(a[row : row + 1].copy(), w)[0], whole[row])


def test_rows_are_rounded_to_nearest_even(kernels):
    """Ties, both infinities, what becomes infinite, signed zeros, and NaNs of every payload."""
    bits = np.concatenate([
        np.random.default_rng(0).integers(0, 1 << 32, 4000, np.uint32),
        np.random.default_rng(1).integers(0x33000000, 0x47800000, 4000, np.uint32),
        np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x3F801000, 0x3F803000, 0x7F800000,
                  0xFF800000, 0x7F7FFFFF, 0x80000000, 0x477FEFFF, 0x477FF000, 0x7FFFFFFF,
                  0xFFFFFFFF, 0x7F800001, 0xFF800001], np.uint32),
    ])[: 3 * 2671]  # fmt: skip
    a = bits.view(np.float32).reshape(3, -1)
    depth, words = a.shape[1], kernels.rounded(a)
    half = kernels.given == F16_A16
    instruction = kernels.isa.f16 if half else kernels.isa.bf16
    if instruction == "widened":
        each = words.reshape(3, -1)
        assert (each[:, depth:] == 0).all()
        got = each[:, :depth]
    else:
        step = 16 if half else 4
        inputs = -(-depth // step) * step
        found = words.reshape(-1).view(np.uint16)[: 3 * inputs].reshape(3, inputs)
        assert (found[:, depth:] == 0).all()
        got = found.view(np.float16) if half else from_bfloat16(found)
        got = got[:, :depth].astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = kernels.exact(a).astype(np.float32)
    nan = np.isnan(a)
    assert nan.sum() > 10 and np.isnan(got[nan]).all()
    np.testing.assert_array_equal(got[~nan].view(np.uint32), wanted[~nan].view(np.uint32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row(kernels, bad):
    a, w = data(5, 70, 40)
    a[2, 69] = bad
    got = kernels.run(a, w)
    assert not np.isfinite(got[2]).any() and np.isfinite(got[[0, 1, 3, 4]]).all()


@pytest.mark.parametrize("tokens", [1, 7, 33])
def test_experts(kernels, rms, tokens):
    """Every slot gets its expert's columns; an expert that nobody chose is not read."""
    experts, chosen, depth, columns, given = 5, 2, 71, 41, kernels.given
    chance = np.random.default_rng(1)
    a, _ = data(tokens, depth, 1)
    weights = [data(1, depth, columns, 2 * e)[1] for e in range(2 * experts)]
    ids = np.stack([chance.permutation(experts - 1)[:chosen] for _ in range(tokens)]).reshape(-1)
    order = np.argsort(ids, kind="stable").astype(np.int32)
    offsets = np.searchsorted(ids[order], np.arange(experts + 1)).astype(np.int32)
    used = np.unique(ids)
    active = np.array([len(used), *used], np.int32)
    packed = np.stack([pack_ports(weights[2 * e : 2 * e + 2], given) for e in range(experts)])
    out = np.full((ids.size, columns), np.nan, np.float32)
    kernels.built["experts"](
        kernels.rounded(a), packed, out, order, offsets, active, depth, columns,
        kernels.routed.panels(columns), chosen, tokens, 0,
        kernels.routed.tasks(columns)[0] * len(used),
    )  # fmt: skip
    left, right = (
        np.stack([kernels.exact(weights[2 * e + port]) @ kernels.exact(a[slot // chosen])
                  for slot, e in enumerate(ids)])
        for port in range(2)
    )  # fmt: skip
    assert kernels.near(rms(out, left * right))


def test_pairs_lie_side_by_side_and_are_filled_up():
    """Inputs 0 and 1 of a column share a word; five inputs take as many bytes as eight."""
    w = np.arange(32 * 5, dtype=np.float32).reshape(32, 5)
    (panel,) = pack(w, BF16_A16)
    assert panel.nbytes == panel_bytes(5, BF16_A16) == panel_bytes(8, BF16_A16) == 4 * 4 * 32
    halves = from_bfloat16(panel.view(np.uint16)).reshape(2, 4, 16, 2)  # [half, pair, column, 2]
    np.testing.assert_array_equal(halves[0, 0, 3], w[3, :2])
    np.testing.assert_array_equal(halves[1, 2, 15], [w[31, 4], 0])
    assert (halves[:, 3] == 0).all()
