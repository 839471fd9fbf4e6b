"""Integer products against NumPy: every format, odd sizes, every instruction set.

Those of other machines run in an emulator, see `conftest`.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.quantise import Codes, quantise
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.experts import Experts
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.panels import (
    PANEL,
    group_count,
    group_inputs,
    pack,
    pack_codes,
    pack_ports,
    panel_bytes,
)
from edgemoe.targets.kernels.quantise_rows import QuantiseRows
from edgemoe.weight_format import parse

INT8 = ("i8", "i8.g32", "i8.zp", "i4", "i4.g128", "i4.g64.zp", "i3", "i3.g128",
        "i3.g64.zp", "i2", "i2.g128", "ternary")  # fmt: skip
BY_HAND = ("i8", "i8.zp", "i4", "i4.g64.zp", "i3", "i3.g128.zp", "ternary")
EXPERTS = ("i8", "i4", "i3")
FLOAT = ("i8.a32", "i4.a32", "i4.g64.zp.a32", "i3.a32", "i2.a32", "i8.zp.a32")
"""A format of 3 bits takes seconds to compile; groups and zero points are 4 bits' as well."""


@pytest.fixture(scope="module")
def kernels(build_for, dot_isa):
    """The kernels of one instruction set: rows and products."""
    return kernels_of(build_for, dot_isa, INT8, experts=EXPERTS)


def kernels_of(build_for, where, formats, experts=()):
    specs = {f"product {name}": Linear(ex.Port(), parse(name)) for name in formats}
    specs |= {f"rows {name}": QuantiseRows(parse(name)) for name in formats}
    specs |= {f"experts {name}": routed(name) for name in experts}
    named = {name.replace(" ", "_").replace(".", "_"): spec for name, spec in specs.items()}
    built = build_for(where, named)
    return {name: built[name.replace(" ", "_").replace(".", "_")] for name in specs}


def routed(name):
    """Two ports that are added up, for rows by token, with results by slot."""
    return Experts(ex.Apply("Add", (ex.Port(0), ex.Port(1))), 2, "token", "slot", parse(name))


@pytest.fixture(scope="module")
def float_kernels(build):
    specs = {name.replace(".", "_"): Linear(ex.Port(), parse(name)) for name in FLOAT}
    built = build(specs)
    return {f"product {name}": built[name.replace(".", "_")] for name in FLOAT}


@pytest.fixture(scope="module")
def vnni_by_hand(build_for, by_hand):
    """The tiles of AVX-512 VNNI in AVX2: a test that needs no such CPU."""
    return kernels_of(build_for, by_hand, BY_HAND)


def data(rows, depth, columns, seed=0):
    chance = np.random.default_rng(seed)
    a = chance.standard_normal((rows, depth)).astype(np.float32)
    return a, (chance.standard_normal((columns, depth)) / np.sqrt(depth)).astype(np.float32)


def rounded_rows(a, given):
    """Rows as int8 codes with scales per row and group; the definition of `quantise_rows`."""
    rows, depth = a.shape
    group = given.group or depth
    groups = group_count(depth, given)
    padded = np.zeros((rows, groups * group), np.float32)
    padded[:, :depth] = a
    values = padded.reshape(rows, groups, group)
    most = np.maximum(np.abs(values).max(-1, keepdims=True), np.float32(1e-30))
    codes = np.rint(values * (np.float32(127) / most))
    return codes, most * np.float32(1 / 127)


def reference(a, w, given):
    """The product of rounded rows with rounded weights, in float64."""
    back = quantise(w, given).dequantise(w.shape[1]).astype(np.float64)
    if not given.int8_activations:
        return a.astype(np.float64) @ back.T
    codes, scales = rounded_rows(a, given)
    rows = (codes.astype(np.float64) * scales).reshape(len(a), -1)[:, : a.shape[1]]
    return rows @ back.T


def run(kernels, name, a, w):
    return call(kernels, name, a, pack(w, parse(name)), len(w))


def call(kernels, name, a, packed, columns):
    given, (rows, depth) = parse(name), a.shape
    out = np.full((rows, columns), np.nan, np.float32)
    tasks = Linear(ex.Port()).tasks(rows, columns)
    if not given.int8_activations:
        kernels[f"product {name}"](a, packed, out, rows, depth, columns, 0, tasks)
        return out
    kernels[f"product {name}"](
        *quantised(kernels, name, a), packed, out, rows, depth, columns, 0, tasks
    )
    return out


def quantised(kernels, name, a):
    """Codes, scales and sums of rows."""
    given, (rows, depth) = parse(name), a.shape
    groups = group_count(depth, given)
    words = group_inputs(depth, given) // 4 * (2 if given.bits == 8 else 1)
    codes = np.full((rows, groups * words), -1, np.int32)
    scales = np.full((rows, groups), np.nan, np.float32)
    sums = np.full((rows, groups), -1, np.int32)
    kernels[f"rows {name}"](a, codes, scales, sums, depth, 0, rows)
    return codes, scales, sums


SIZES = pytest.mark.parametrize(("rows", "depth", "columns"), [
    (1, 512, 64), (2, 33, 31), (3, 1, 1), (5, 64, 33), (7, 100, 70), (12, 40, 65), (13, 130, 32),
    (49, 256, 40),
])  # fmt: skip


@pytest.mark.parametrize("name", INT8)
@SIZES
def test_int8_activations(kernels, rms, name, rows, depth, columns):
    a, w = data(rows, depth, columns)
    got = run(kernels, name, a, w)
    # The sums inside a group are exact: what is left is float32 arithmetic over the groups, and a
    # code that is rounded the other way at a tie.
    assert rms(got, reference(a, w, parse(name))) < 2e-4


@pytest.mark.parametrize("name", BY_HAND)
@SIZES
def test_vnni_by_hand(vnni_by_hand, rms, name, rows, depth, columns):
    a, w = data(rows, depth, columns)
    assert rms(run(vnni_by_hand, name, a, w), reference(a, w, parse(name))) < 2e-4


@pytest.mark.parametrize("name", INT8)
@SIZES
def test_sums_are_exact(kernels, name, rows, depth, columns):
    """All scales are 1, and zero points lie anywhere: the results are the integers themselves."""
    given, chance = parse(name), np.random.default_rng(0)
    a = chance.integers(-127, 128, (rows, depth))
    a[:, :: given.group or depth] = 127  # so that its scale is 1
    panels, groups = -(-columns // PANEL), group_count(depth, given)
    lowest = 1 if given.bits == 8 else 0
    shape = (panels * PANEL, groups, given.group or depth)
    codes = chance.integers(lowest, given.largest_code + 1, shape).astype(np.uint8)
    zeros = np.full(shape[:2], given.zero, np.uint8)
    if given.zero_points:
        zeros = chance.integers(lowest, given.largest_code + 1, shape[:2]).astype(np.uint8)
    codes = codes.reshape(len(codes), -1)
    codes[:, depth:] = np.repeat(zeros, shape[2], 1)[:, depth:]
    coded = Codes(codes, np.ones(shape[:2], np.float32), zeros)
    out = call(kernels, name, a.astype(np.float32), pack_codes(coded, depth, given), columns)
    np.testing.assert_array_equal(out, a @ coded.dequantise(depth)[:columns].astype(int).T)


@pytest.mark.parametrize("name", FLOAT)
@pytest.mark.parametrize(("rows", "depth", "columns"), [
    (1, 512, 64), (2, 33, 31), (3, 1, 1), (7, 100, 70), (13, 130, 32),
])  # fmt: skip
def test_float_activations(float_kernels, rms, name, rows, depth, columns):
    a, w = data(rows, depth, columns)
    assert rms(run(float_kernels, name, a, w), reference(a, w, parse(name))) < 1e-6


@pytest.mark.parametrize("name", INT8)
def test_extreme_codes_do_not_overflow(kernels, rms, name):
    """All activations and all weights at the ends of their ranges, both signs."""
    depth, columns = 4096, 33
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (4, depth)).astype(np.float32)
    signs[0], signs[1] = 1, -1
    w = np.ones((columns, depth), np.float32)
    w[1], w[2, ::2] = -1, -1
    assert rms(run(kernels, name, signs, w), reference(signs, w, parse(name))) < 1e-5


@pytest.mark.parametrize("name", ["i8", "i4", "i4.g64.zp", "i3"])
def test_bits_of_a_row_do_not_depend_on_the_others(kernels, name):
    a, w = data(23, 200, 65)
    whole = run(kernels, name, a, w)
    for row in (0, 4, 5, 22):
        np.testing.assert_array_equal(run(kernels, name, a[row : row + 1].copy(), w)[0], whole[row])


@pytest.mark.parametrize("name", ["i8", "i4"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_its_row_only(kernels, name, bad):
    a, w = data(5, 70, 40)
    a[2, 69] = bad
    got = run(kernels, name, a, w)
    assert np.isnan(got[2]).all()
    assert np.isfinite(got[[0, 1, 3, 4]]).all()


def test_a_row_of_zeros(kernels):
    a, w = data(3, 64, 40)
    a[1] = 0
    assert (run(kernels, "i8", a, w)[1] == 0).all()


@pytest.mark.parametrize("name", INT8)
def test_rows_keep_their_scales_and_sums(kernels, name):
    a, _ = data(5, 200, 1)
    _, scales, sums = quantised(kernels, name, a)
    codes, wanted = rounded_rows(a, parse(name))
    np.testing.assert_array_equal(scales, wanted[..., 0])
    # A product that is not rounded before the addition decides some ties the other way.
    assert np.abs(sums - codes.sum(-1)).max() <= 1


@pytest.mark.parametrize("name", EXPERTS)
@pytest.mark.parametrize("tokens", [1, 7, 33])
def test_experts(kernels, rms, name, tokens):
    """Every slot gets its expert's columns; an expert that nobody chose is not read."""
    given, spec, experts, chosen, depth, columns = parse(name), routed(name), 5, 2, 72, 41
    chance = np.random.default_rng(1)
    a, _ = data(tokens, depth, 1)
    weights = [data(1, depth, columns, 2 * e)[1] for e in range(2 * experts)]
    ids = np.stack([chance.permutation(experts - 1)[:chosen] for _ in range(tokens)]).reshape(-1)
    order = np.argsort(ids, kind="stable").astype(np.int32)
    offsets = np.searchsorted(ids[order], np.arange(experts + 1)).astype(np.int32)
    used = np.unique(ids)
    active = np.array([len(used), *used], np.int32)
    packed = np.stack(
        [pack_ports(weights[2 * e : 2 * e + 2], given) for e in range(experts)]
    )  # fmt: skip
    out = np.full((ids.size, columns), np.nan, np.float32)
    kernels[f"experts {name}"](
        *quantised(kernels, name, a), packed, out, order, offsets, active, depth, columns,
        spec.panels(columns), chosen, tokens, 0, spec.tasks(columns)[0] * len(used),
    )  # fmt: skip
    wanted = np.stack([
        sum(reference(a[slot // chosen][None], w, given)[0] for w in weights[2 * e : 2 * e + 2])
        for slot, e in enumerate(ids)
    ])  # fmt: skip
    assert rms(out, wanted) < 5e-4


def test_ports_share_panels_evenly():
    gate, up = data(1, 64, 40, 1)[1], data(1, 64, 40, 2)[1]
    for name in ("f32", "bf16", "f16", "i8", "i4", "i4.g64.zp", "i3", "ternary"):
        given = parse(name)
        packed = pack_ports([gate, up], given)
        assert packed.shape == (3, panel_bytes(64, given))
        # The first panel holds columns 0-15 of either: the same as their own panel would.
        np.testing.assert_array_equal(
            packed[0], pack(np.concatenate([gate[:16], up[:16]]), given)[0]
        )


@pytest.mark.parametrize("name", ["i8", "i8.zp", "i4", "i4.g64.zp", "i3", "ternary"])
def test_every_port_has_its_rounder(name):
    """Rounders see the columns of their port alone; what they choose is what lies in the panels."""
    given, (gate, up) = parse(name), (data(1, 64, 40, n)[1] for n in (1, 2))
    seen = []

    def times(factor):
        def rounder(rows, asked):
            seen.append((rows, asked))
            return quantise(factor * rows, asked)

        return rounder

    packed = pack_ports([gate, up], given, [times(1), times(2)])
    np.testing.assert_array_equal(packed, pack_ports([gate, 2 * up], given))
    assert (packed != pack_ports([gate, up], given)).any()
    for (rows, asked), port in zip(seen, (gate, up), strict=True):
        assert asked == given
        np.testing.assert_array_equal(rows, port)


def test_every_port_needs_a_rounder():
    gate = data(1, 64, 40)[1]
    with pytest.raises(ValueError, match="zip"):
        pack_ports([gate, gate], parse("i4"), [quantise])
