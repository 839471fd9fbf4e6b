"""Token mixing with stored formats, against NumPy: what is unpacked, panels, exact sums.

Every instruction set for products of int8; those of other machines run in an emulator.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.bfloat16 import from_bfloat16, to_bfloat16
from edgemoe.quantise import Codes, quantise
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.panels import PANEL, group_count, group_inputs, panel_bytes
from edgemoe.targets.kernels.quantise_panels import QuantisePanels
from edgemoe.targets.kernels.row_codes import pack_rows, part_bytes
from edgemoe.targets.kernels.token_mix_int8 import TokenMixInt8
from edgemoe.targets.kernels.unpack_rows import UnpackRows, activation_format
from edgemoe.weight_format import parse

INT8 = ("i8", "i8.g32", "i8.zp", "i4", "i4.g64.zp", "i3", "i3.zp", "i2", "ternary")
FLOAT = ("bf16", "f16", "i8.a32", "i8.zp.a32", "i4.a32", "i4.g64.zp.a32", "i3.a32", "i2.a32",
         "ternary.a32")  # fmt: skip
BIAS = ex.Apply("Add", (ex.Port(), ex.Operand(0, "row")))
BIASED = ex.Apply("Add", (ex.Operand(1, "full"), BIAS))
SIZES = pytest.mark.parametrize(("batch", "rows", "depth", "channels"), [
    (1, 1, 1, 32), (2, 7, 5, 33), (3, 13, 32, 64), (1, 49, 130, 70), (2, 12, 47, 7),
    (1, 97, 64, 48),
])  # fmt: skip


def specs_of(names):
    specs = {}
    for name in names:
        given = parse(name)
        specs[f"rows {name}"] = UnpackRows(given)
        if given.int8_activations:
            panels = activation_format(given)
            specs[f"panels {name}"] = QuantisePanels(panels)
            specs[f"mix {name}"] = TokenMixInt8(ex.Port(), panels)
    specs["biased"] = TokenMixInt8(BIASED, activation_format(parse("i8")))
    return specs


def build_all(build, names):
    specs = {name: name.replace(" ", "_").replace(".", "_") for name in specs_of(names)}
    built = build({specs[name]: spec for name, spec in specs_of(names).items()})
    return {name: built[symbol] for name, symbol in specs.items()}


@pytest.fixture(scope="module")
def kernels(build_for, dot_isa):
    return build_all(lambda specs: build_for(dot_isa, specs), INT8)


@pytest.fixture(scope="module")
def float_kernels(build):
    return build_all(build, FLOAT)


@pytest.fixture(scope="module")
def vnni_by_hand(build_for, by_hand):
    """AVX-512 VNNI in AVX2: weights have sums to take off."""
    return build_all(lambda specs: build_for(by_hand, specs), INT8)


def data(batch, rows, depth, channels, seed=0):
    chance = np.random.default_rng(seed)
    w = (chance.standard_normal((rows, depth)) / np.sqrt(depth)).astype(np.float32)
    return w, chance.standard_normal((batch, depth, channels)).astype(np.float32)


def rounded_columns(x, given):
    """Columns of [batch, depth, channels] as codes with scales; defines `quantise_panels`."""
    batch, depth, channels = x.shape
    group = given.group or depth
    groups = group_count(depth, given)
    padded = np.zeros((batch, groups * group, channels), np.float32)
    padded[:, :depth] = x
    values = padded.reshape(batch, groups, group, channels)
    most = np.maximum(np.abs(values).max(2, keepdims=True), np.float32(1e-30))
    scales, inverse = most * np.float32(1 / 127), np.float32(127) / most
    if given.group:
        up = np.ascontiguousarray(scales).view(np.uint32) + np.uint32(0xFFFF)
        scales = (up & np.uint32(0xFFFF0000)).view(np.float32)
        inverse = np.float32(1) / scales
    return np.rint(values * inverse), scales


def reference(w, x, given):
    """The product of rounded weights with rounded columns, in float64."""
    codes, scales = rounded_columns(x, given)
    columns = (codes.astype(np.float64) * scales).reshape(len(x), -1, x.shape[2])
    back = quantise(w, given).dequantise(w.shape[1]).astype(np.float64)
    return np.einsum("mk,bkn->bmn", back, columns[:, : x.shape[1]])


def parts_of(packed, rows, depth, given):
    """The packed weights as the kernels' pointers, in memory of their own."""
    ends = np.cumsum(part_bytes(rows, depth, given))
    assert ends[-1] == packed.nbytes
    return [part.copy() for part in np.split(packed, ends[:-1])]


def unpacked(kernels, name, packed, rows, depth):
    given = parse(name)
    groups = group_count(depth, given)
    words = 2 * groups * group_inputs(depth, given) // 4
    made = [
        np.full((rows, words), 0x55555555, np.int32), np.full((rows, groups), np.nan, np.float32),
        np.full((rows, groups), -1, np.int32),
    ]  # fmt: skip
    if activation_format(given).zero_points:
        made.append(np.full((rows, groups), -1, np.int32))
    parts = parts_of(packed, rows, depth, given)
    for row in reversed(range(rows)):
        kernels[f"rows {name}"](*parts, *made, depth, row, row + 1)
    return made


def panels_of(kernels, name, x):
    batch, depth, channels = x.shape
    given = activation_format(parse(name))
    tasks = QuantisePanels(given).tasks(batch, channels)
    panels = np.full((tasks, panel_bytes(depth, given)), 0x55, np.uint8)
    for task in reversed(range(tasks)):
        kernels[f"panels {name}"](x, panels, depth, channels, task, task + 1)
    return panels


def call(kernels, name, packed, rows, x, kernel="", operands=()):
    batch, depth, channels = x.shape
    out = np.full((batch, rows, channels), np.nan, np.float32)
    left = unpacked(kernels, name, packed, rows, depth)
    panels = panels_of(kernels, name, x)
    spec = TokenMixInt8(ex.Port(), activation_format(parse(name)))
    for task in reversed(range(spec.tasks(batch, rows, channels))):
        kernels[kernel or f"mix {name}"](
            *left, panels, out, *operands, rows, depth, channels, task, task + 1
        )
    return out


@pytest.mark.parametrize("name", INT8)
@SIZES
def test_against_the_reference(kernels, rms, name, batch, rows, depth, channels):
    w, x = data(batch, rows, depth, channels)
    given = parse(name)
    got = call(kernels, name, pack_rows(w, given), rows, x)
    # Exact inside a group; what is left is float32 arithmetic, and a tie rounded the other way.
    assert rms(got, reference(w, x, given)) < 2e-4


def integers(batch, rows, depth, channels, given):
    """Codes of weights and activations whose scales are all 1, and zero points anywhere."""
    chance = np.random.default_rng(rows)
    x = chance.integers(-127, 128, (batch, depth, channels))
    x[:, :: given.group or depth] = 127  # so that its scale is 1
    group, groups = given.group or depth, group_count(depth, given)
    lowest = 1 if given.bits == 8 else 0
    codes = chance.integers(lowest, given.largest_code + 1, (rows, groups, group)).astype(np.uint8)
    zeros = np.full((rows, groups), given.zero, np.uint8)
    if given.zero_points:
        zeros = chance.integers(lowest, given.largest_code + 1, zeros.shape).astype(np.uint8)
    codes = codes.reshape(rows, -1)
    codes[:, depth:] = np.repeat(zeros, group, 1)[:, depth:]
    return Codes(codes, np.ones((rows, groups), np.float32), zeros), x


def check_exact(kernels, name, sizes):
    _, rows, depth, _ = sizes
    given = parse(name)
    coded, x = integers(*sizes, given)
    packed = pack_rows(np.zeros((rows, depth)), given, lambda weights, given: coded)
    got = call(kernels, name, packed, rows, x.astype(np.float32))
    wanted = np.einsum("mk,bkn->bmn", coded.dequantise(depth).astype(int), x)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", INT8)
@SIZES
def test_sums_are_exact(kernels, name, batch, rows, depth, channels):
    check_exact(kernels, name, (batch, rows, depth, channels))


@pytest.mark.parametrize("name", INT8)
@SIZES
def test_sums_are_exact_with_vnni(vnni_by_hand, name, batch, rows, depth, channels):
    check_exact(vnni_by_hand, name, (batch, rows, depth, channels))


def test_operands_at_their_places(kernels, rms):
    """A bias per row, a residual of every matrix."""
    w, x = data(3, 13, 20, 70)
    chance = np.random.default_rng(1)
    bias = chance.standard_normal(13).astype(np.float32)
    full = chance.standard_normal((3, 13, 70)).astype(np.float32)
    packed = pack_rows(w, parse("i8"))
    got = call(kernels, "i8", packed, 13, x, "biased", (bias, full))
    plain = call(kernels, "i8", packed, 13, x)
    assert rms(got, plain.astype(np.float64) + bias[:, None] + full) < 1e-6


@pytest.mark.parametrize("name", ["i8", "i4", "i8.zp"])
def test_a_spoilt_channel_changes_no_other(kernels, name):
    w, x = data(2, 9, 40, 50)
    packed = pack_rows(w, parse(name))
    wanted = call(kernels, name, packed, 9, x)
    x[0, 3, 7], x[1, 39, 49] = np.nan, np.inf
    got = call(kernels, name, packed, 9, x)
    wanted[0, :, 7] = wanted[1, :, 49] = np.nan
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", FLOAT)
@pytest.mark.parametrize(("rows", "depth"), [(1, 1), (3, 33), (5, 64), (13, 130)])
def test_floats_are_those_of_the_format(float_kernels, name, rows, depth):
    w, _ = data(1, rows, depth, 1)
    given = parse(name)
    packed = pack_rows(w, given)
    out = np.full((rows, depth), np.nan, np.float32)
    for row in reversed(range(rows)):
        parts = parts_of(packed, rows, depth, given)
        float_kernels[f"rows {name}"](*parts, out, depth, row, row + 1)
    if given.is_integer:
        wanted = quantise(w, given).dequantise(depth)
    else:
        wanted = from_bfloat16(to_bfloat16(w)) if name == "bf16" else w.astype(np.float16)
    np.testing.assert_array_equal(out, wanted.astype(np.float32))
    assert w.size == 1 or (out != w).any()


def test_weights_take_the_bytes_of_their_bits():
    w, _ = data(1, 10, 64, 1)
    bits = {
        "bf16": 16,
        "i8": 8.5,
        "i4": 4.5,
        "i4.g64.zp": 4.375,
        "i3": 3.5,
        "i2": 2.5,
        "ternary": 2.5,
    }
    for name, each in bits.items():
        assert 8 * pack_rows(w, parse(name)).nbytes == each * w.size


def test_panels_of_ragged_channels_end_in_zeros(kernels):
    _, x = data(1, 1, 8, 7)
    words = panels_of(kernels, "i8", x).view(np.int32).reshape(-1, PANEL)
    assert words[:, :7].all() and not words[:, 7:].any()
