"""Tensors between steps in float16: which ones, what it does to kernels, what it costs in error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import edgemoe
from edgemoe.plan import Buffer, Pointer, Region, Step
from edgemoe.runtime.selftest import run_cases
from edgemoe.targets.gpu.half_activations import chosen
from edgemoe.targets.gpu.halves import Halved
from edgemoe.targets.graphics import graphics
from edgemoe.targets.kernels.copy import Copy
from edgemoe.targets.kernels.gpu import move, norm
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.norm import Norm
from edgemoe.targets.kernels.softmax import Softmax
from edgemoe.targets.spec import load_target
from tests.gpu.launch import launch

DEVICE = pytest.mark.needs("device:webgpu-f16")


def half(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16)


def facts() -> Any:
    found = load_target("webgpu-f16").gpu
    assert found is not None and found.activations == "float16"
    return found


@DEVICE
def test_a_kernel_widens_what_it_reads_and_rounds_what_it_writes() -> None:
    """Sums stay float32: a thousand equal halves have an exact mean."""
    x = half(np.random.default_rng(0).standard_normal((4, 1024)) * 100)
    x[1] = 1000.0
    x[2, 1:] = 2.0**-14
    scale = np.linspace(0.5, 1.5, 1024).astype(np.float32)
    call = Call(Norm("layer", True, False, 1e-5), (1024,), 4, (4096, 4096, 1024), facts())
    made = Halved(norm.stand_in(call), (0, 1))
    assert made.parameters == ("half*", "half*", "float*")
    found = launch("webgpu-f16", made, [x, np.zeros_like(x), scale])[1]
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    wanted = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) * scale
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, wanted, rtol=2.0**-10, atol=2e-6)


@DEVICE
def test_sums_beyond_the_range_of_halves() -> None:
    x = half(np.full((1, 64), 60000.0))
    x[0, ::2] *= -1
    call = Call(Norm("rms", False, False, 1e-6), (64,), 1, (64, 64), facts())
    found = launch("webgpu-f16", Halved(norm.stand_in(call), (0, 1)), [x, np.zeros_like(x)])[1]
    np.testing.assert_array_equal(found, np.sign(x))  # squares are 3.6e9
    call = Call(Softmax(), (64,), 1, (64, 64), facts())
    found = launch("webgpu-f16", Halved(norm.stand_in(call), (0, 1)), [x, np.zeros_like(x)])[1]
    np.testing.assert_allclose(found, np.where(x > 0, 1 / 32, 0), rtol=1e-3)


@DEVICE
@pytest.mark.parametrize("positions", [(0,), (1,), (0, 1)])
def test_words_that_are_moved_are_the_same_numbers(positions: tuple[int, ...]) -> None:
    x = np.float32([1.5, -2.0, 0.0, 65504.0, 2.0**-24, -(2.0**-14), 3.0, -0.0])
    arrays = [half(x) if 0 in positions else x, half(0 * x) if 1 in positions else 0 * x]
    made = Halved(move.stand_in(Call(Copy(), (32,), 1, (8, 8), facts())), positions)
    np.testing.assert_array_equal(launch("webgpu-f16", made, arrays)[1], x)


def test_what_becomes_float16() -> None:
    """Routers, what comes from integers, parts of sums, and all that is no temporary stay."""
    where: dict[str, Any] = {"arena": {}, "input": {"index": 0}, "output": {"index": 0}}
    buffers = [
        Buffer(name, dtype, (4,), place, **where.get(place, {"offset": 0}))
        for name, dtype, place in (
            ("x", "float32", "input"), ("w", "uint32", "weights"), ("hidden", "float32", "arena"),
            ("logits", "float32", "arena"), ("ids", "int32", "arena"),
            ("scores", "float32", "arena"), ("y", "float32", "output"),
            ("position", "int32", "input"), ("angles", "float32", "arena"),
            ("frequencies", "float32", "weights"), ("parts", "float32", "arena"),
            ("joined", "float32", "arena"), ("embedded", "float32", "arena"),
        )
    ]  # fmt: skip
    numbers = {buffer.name: i for i, buffer in enumerate(buffers)}
    templates = {name: name for name in ("linear", "route", "generic", "attention",
                                         "attention_join", "gather")}  # fmt: skip

    def step(kernel: str, *names: str) -> Step:
        return Step(kernel, tuple(Pointer(numbers[n]) for n in names), 1, label="")

    steps = [
        step("linear", "x", "w", "hidden"), step("linear", "hidden", "w", "logits"),
        step("route", "logits", "ids", "scores"),
        step("generic", "position", "frequencies", "angles"),
        step("gather", "position", "frequencies", "embedded"),
        step("attention", "hidden", "angles", "parts"),
        step("attention_join", "parts", "joined"), step("linear", "joined", "w", "y"),
    ]  # fmt: skip
    region = Region("moe", "", "scored", numbers["scores"], 2, 1, 4, 2, 0, 0)
    found = chosen(buffers, steps, templates, [region])
    assert {buffers[i].name for i in found} == {"hidden", "joined"}


def test_facts_of_a_target() -> None:
    data = {"threads": 64, "local_bytes": 16384, "storage_buffers": 8, "binding_bytes": 1 << 27}
    assert graphics(data, "wgsl").activations == "float32"
    assert graphics({**data, "fp16": True}, "wgsl").activations == "float16"
    kept = graphics({**data, "fp16": True, "activations": "float32"}, "wgsl")
    assert kept == replace(graphics({**data, "fp16": True}, "wgsl"), activations="float32")
    for wrong in ({"activations": "float16"}, {"fp16": True, "activations": "bf16"}):
        with pytest.raises(ValueError, match=r"activations is .*; float16 needs fp16 = true"):
            graphics({**data, **wrong}, "wgsl")


@DEVICE
@pytest.mark.parametrize(
    ("model", "share"),
    [("digits_mixer:digits", 0.9), ("forecaster:etth1", 1.0), ("moe_lm:char_moe", 0.6),
     ("blockffn_lm:char_blockffn", 0.6), ("sensor_moe:sensor_moe", 0.6)],
)  # fmt: skip
def test_shipped_models(model: str, share: float, tmp_path: Path) -> None:
    """All buckets, against float32; where nothing were rounded, the error would be far smaller."""
    tokens = [1, 8] if "_lm" in model else None
    artifact = edgemoe.compile(
        f"edgemoe.models.{model}", target="webgpu-f16", out=tmp_path / "m.em", tokens=tokens
    )
    (found,) = (d for d in artifact.plan.decisions if d.subject == "activations")
    assert "the self-test bounds the RMS" in found.reason
    inside = [b for v in artifact.plan.variants for b in v.buffers
              if b.where == "arena" and b.first >= 0 and b.dtype.startswith("float")]  # fmt: skip
    halves = [b for b in inside if b.dtype == "float16"]
    assert len(halves) >= share * len(inside)
    with edgemoe.load(artifact.path) as session:
        assert all(case.passed and case.statistic == "rms" for case in run_cases(session))
    errors = artifact.manifest["accuracy"]["relative_rms_error"]
    assert errors and all(1e-5 < error < 5e-3 for error in errors.values())


@DEVICE
@pytest.mark.parametrize("value", [-300.0, 0.5])
def test_what_a_generic_kernel_adds_up_stays_float32(value: float, tmp_path: Path) -> None:
    """The first value of a running maximum has no float16, and a sum in float16 loses its end."""
    text = """<ir_version: 10, opset_import: ["" : 20]>
    g (float[4,512] x) => (int64[4] best, float[4] total)
    <int64 axis = {1}, int64[1] axes = {1}> {
        y = Abs(x)
        best = ArgMax<axis=1, keepdims=0>(y)
        c = CumSum(y, axis)
        z = Sub(c, y)
        total = ReduceMax<keepdims=0>(z, axes)
    }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    artifact = edgemoe.compile(tmp_path / "m.onnx", target="webgpu-f16", out=tmp_path / "m.em")
    x = np.full((4, 512), value, np.float32)
    x[np.arange(4), [3, 0, 511, 200]] = 2 * value
    with edgemoe.load(artifact.path) as session:
        found = session.run({"x": x / 100})
    assert found["best"].tolist() == [3, 0, 511, 200]
    wanted = (np.abs(x).cumsum(1) - np.abs(x)).max(1) / 100
    np.testing.assert_allclose(found["total"], wanted, rtol=2e-3)
