"""The linear kernel on GPUs: every format, few rows and tiles, odd sizes, epilogues."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edgemoe import kv_cache
from edgemoe.quantise import quantise
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.gpu import integer_tile
from edgemoe.targets.kernels.gpu.linear import GpuLinear, product_cut
from edgemoe.targets.kernels.gpu.quantise_rows import QuantiseRows, inputs_apart, row_words
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.spec import load_target
from edgemoe.weight_format import parse
from tests.gpu.launch import launch

pytestmark = pytest.mark.needs("device:opencl", "device:webgpu")

FORMATS = (
    "f32", "bf16", "f16", "i8", "i8.g64", "i4", "i4.g64", "i4.zp", "i3", "i2", "i2.zp", "ternary",
    "i8.zp",
)  # fmt: skip


def stored(weights: np.ndarray, name: str) -> np.ndarray:
    """The weights as the format keeps them, by its definition."""
    given = parse(name)
    if given.is_integer:
        return quantise(weights, given).dequantise(weights.shape[1])
    if given.kind == "float16":
        return weights.astype(np.float16).astype(np.float32)
    if given.kind == "bfloat16":
        from edgemoe.bfloat16 import from_bfloat16, to_bfloat16

        return from_bfloat16(to_bfloat16(weights))
    return weights


CASES = [("opencl", rows, name, 70) for rows in (3, 40) for name in FORMATS]
CASES += [("opencl", rows, name, 72) for rows in (1, 3) for name in FORMATS]  # quads
# One function becomes both languages: of the second, what its text treats in its own way.
CASES += [("webgpu", 3, "i4.zp", 70), ("webgpu", 40, "i3", 70), ("webgpu", 1, "f16", 70)]
CASES += [("webgpu", 9, "f32", 70), ("webgpu", 1, "i4.g64", 72), ("webgpu", 3, "f32", 72)]


@pytest.mark.parametrize(("device", "rows", "name", "columns"), CASES)
def test_formats(device: str, rows: int, name: str, columns: int) -> None:
    depth = 100
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((rows, depth)).astype(np.float32)
    weights = rng.standard_normal((columns, depth)).astype(np.float32)
    bias = rng.standard_normal(columns).astype(np.float32)
    facts = load_target(device).gpu
    assert facts is not None
    layout = Layout(parse(name), depth, columns)
    assert layout.has_quads(1) == (columns == 72 and name != "i3")
    epilogue = ex.Apply("Add", (ex.Port(), ex.Operand(0, "column")))
    kernel = GpuLinear(epilogue, layout, rows, product_cut(facts, layout, 1, rows))
    words = layout.pack([weights], [quantise])
    assert words.size == layout.words
    out = launch(device, kernel, [x, words, np.zeros((rows, columns), np.float32), bias])[2]
    expected = x.astype(np.float64) @ stored(weights, name).T.astype(np.float64) + bias
    np.testing.assert_allclose(out, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def rounded_rows(x: np.ndarray, group: int) -> np.ndarray:
    """Rows as int8 with a scale per group of inputs, by the definition; 0: per row."""
    width = group or x.shape[1]
    found = np.zeros_like(x)
    for start in range(0, x.shape[1], width):
        codes, scales = kv_cache.narrow(x[:, start : start + width], "int8")
        assert scales is not None
        found[:, start : start + width] = codes * scales
    return found


INTEGERS = [(device, rows, name) for device, rows, name in itertools.product(
    ("opencl", "webgpu"), (5, 40),
    ("i8", "i8.g64", "i8.zp", "i4", "i4.g64", "i4.zp", "i3", "i3.zp", "i2", "i2.zp", "ternary")
) if device == "opencl" or (rows == 40 and name in ("i8", "i8.zp", "i4.zp", "i3", "i2.zp"))
]  # fmt: skip


@pytest.mark.parametrize(("device", "rows", "name"), INTEGERS)
def test_products_of_int8(device: str, rows: int, name: str) -> None:
    """Rows rounded on the device, sums of int32: the codes of the definition, and no others."""
    depth, columns = 100, 70
    rng = np.random.default_rng(rows)
    x = (rng.standard_normal((rows, depth)) * 10.0 ** rng.integers(-2, 3, (rows, 1))).astype(
        np.float32
    )
    x[1] = 0.0
    weights = rng.standard_normal((columns, depth)).astype(np.float32)
    bias = rng.standard_normal(columns).astype(np.float32)
    facts = load_target(device).gpu
    assert facts is not None
    facts = replace(facts, integer_dot=True)
    layout = Layout(parse(name), depth, columns)
    assert not integer_tile.why_floats(facts, product_cut(facts, layout, 1, rows))
    epilogue = ex.Apply("Add", (ex.Port(), ex.Operand(0, "column")))
    kernel = GpuLinear(epilogue, layout, rows, integer_tile.cut_of(facts, 1, rows), True)
    count = row_words(layout)
    quantised = QuantiseRows(
        rows, depth, layout.groups, count // layout.groups, inputs_apart(layout), 32
    )
    given = [x, np.zeros((rows, count), np.uint32), np.zeros((rows, layout.groups), np.float32)]
    _, codes, scales = launch(facts, quantised, given)
    words = layout.pack([weights], [quantise])
    out = launch(facts, kernel, [codes, scales, words, np.zeros((rows, columns), np.float32), bias])
    wide, kept = rounded_rows(x, layout.given.group), stored(weights, name)
    expected = wide.astype(np.float64) @ kept.T.astype(np.float64) + bias
    atol = 2e-6 * np.abs(expected).max(-1, keepdims=True)
    assert (np.abs(out[3] - expected) <= atol).all()
    exact = x.astype(np.float64) @ kept.T.astype(np.float64) + bias
    assert (np.abs(out[3] - exact) > 10 * atol)[2:].any()  # without rounding it would be nearer


@pytest.mark.parametrize(
    ("rows", "integer_dot", "reason"),
    [(40, False, "no integer_dot"), (4, True, "at most 4 rows"), (40, True, "")],
)
def test_why_products_stay_floats(rows: int, integer_dot: bool, reason: str) -> None:
    facts = load_target("opencl").gpu
    assert facts is not None
    facts = replace(facts, integer_dot=integer_dot)
    for name in FORMATS:
        layout = Layout(parse(name), 100, 70)
        found = integer_tile.why_floats(facts, product_cut(facts, layout, 1, rows))
        assert bool(found) == bool(reason) and reason in found


@pytest.mark.parametrize("columns", [64, 66])
@pytest.mark.parametrize("rows", [1, 40])
def test_halves_on_a_device_that_has_them(rows: int, columns: int) -> None:
    """The smallest halves, which are no normal numbers, and the largest."""
    depth = 96
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, depth)).astype(np.float32)
    weights = rng.standard_normal((columns, depth)).astype(np.float32)
    weights[0] *= 1e-6
    weights[1] *= 2e4
    facts = load_target("webgpu-f16").gpu
    assert facts is not None
    layout = Layout(parse("f16"), depth, columns)
    kernel = GpuLinear(ex.Port(), layout, rows, product_cut(facts, layout, 1, rows))
    words = layout.pack([weights], [quantise])
    kept = stored(weights, "f16").astype(np.float64)
    bound = 1e-6 * (np.abs(x) @ np.abs(kept).T)
    for device in ("webgpu-f16", "opencl"):
        out = launch(device, kernel, [x, words, np.zeros((rows, columns), np.float32)])[2]
        assert (np.abs(out - x @ kept.T) <= bound).all()
