"""What GPU kernels are made of: every kernel of a CPU that stays, rows, movements, small types."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tvm.script import tirx as T

from edgemoe.errors import UnsupportedOpError
from edgemoe.targets import catalogue, kernels
from edgemoe.targets.gpu import program
from edgemoe.targets.gpu.codegen import source_of
from edgemoe.targets.gpu.narrow import LARGEST, narrowed, stored
from edgemoe.targets.gpu.package import local_bytes
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.copy import Copy
from edgemoe.targets.kernels.gpu import gate, gather, move, norm
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.gpu.linear import GpuLinear, product_cut
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.kernels.norm import Norm
from edgemoe.targets.kernels.rows import Rows
from edgemoe.targets.kernels.shift import Shift
from edgemoe.targets.kernels.softmax import Softmax
from edgemoe.targets.kernels.softmax_gate import SoftmaxGate
from edgemoe.targets.spec import load_target
from edgemoe.weight_format import parse
from tests.gpu.launch import DEVICES, launch

pytestmark = pytest.mark.needs("device:opencl", "device:webgpu")

GPUS = [spec for spec in catalogue() if spec.gpu is not None]


def call(device: str, spec: Any, integers: tuple[int, ...], tasks: int, arrays: Any) -> Call:
    facts = load_target(device).gpu
    assert facts is not None
    return Call(spec, integers, tasks, tuple(a.size for a in arrays), facts)


@pytest.mark.parametrize("device", DEVICES)
def test_norms_and_softmax(device: str) -> None:
    rows, width = 5, 150
    chance = np.random.default_rng(0)
    x, scale, shift = (chance.standard_normal(n).astype(np.float32) for n in
                       ((rows, width), width, width))  # fmt: skip
    out = np.zeros_like(x)
    layer = Norm("layer", True, True, 1e-5)
    arrays = [x, out, scale, shift]
    found = launch(device, norm.stand_in(call(device, layer, (width,), rows, arrays)), arrays)[1]
    centred = x - x.mean(-1, keepdims=True)
    wanted = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) * scale + shift
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    rms = Norm("rms", True, False, 1e-6)
    arrays = [x, out, scale]
    found = launch(device, norm.stand_in(call(device, rms, (width,), rows, arrays)), arrays)[1]
    wanted = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    arrays = [x * 30, out]
    found = launch(device, norm.stand_in(call(device, Softmax(), (width,), rows, arrays)), arrays)[
        1
    ]
    powers = np.exp(30.0 * (x - x.max(-1, keepdims=True)))
    np.testing.assert_allclose(found, powers / powers.sum(-1, keepdims=True), atol=2e-6)


def test_subgroups_sum_rows() -> None:
    facts = load_target("webgpu").gpu
    assert facts is not None
    device = replace(facts, subgroups=4)  # lavapipe has 4 at least
    x = np.random.default_rng(0).standard_normal((5, 150)).astype(np.float32)
    made = norm.stand_in(Call(Softmax(), (150,), 5, (x.size, x.size), device))
    text = source_of("k", made.function(device), device, ())
    assert text.startswith("enable subgroups;") and "subgroupShuffleDown" in text
    powers = np.exp(x - x.max(-1, keepdims=True))
    found = launch(device, made, [x, np.zeros_like(x)])[1]
    np.testing.assert_allclose(found, powers / powers.sum(-1, keepdims=True), atol=2e-6)


@pytest.mark.parametrize("over_tokens", [False, True])
def test_gates(over_tokens: bool) -> None:
    shape = (2, 6, 75)
    chance = np.random.default_rng(0)
    z, x, r = (chance.standard_normal(shape).astype(np.float32) for _ in range(3))
    arrays = [z, np.zeros_like(z), x, r]
    spec = SoftmaxGate(over_tokens)
    made = gate.stand_in(call("opencl", spec, shape[1:], 1, arrays))
    axis = 1 if over_tokens else 2
    powers = np.exp(z - z.max(axis, keepdims=True))
    wanted = x * powers / powers.sum(axis, keepdims=True) + r
    np.testing.assert_allclose(launch("opencl", made, arrays)[1], wanted, atol=1e-5)


def test_movements() -> None:
    x = np.arange(600, dtype=np.int32)
    arrays = [x, np.zeros_like(x)]
    made = move.stand_in(call("opencl", Copy(), (2400,), 1, arrays))
    assert (launch("opencl", made, arrays)[1] == x).all()
    # Three windows of 200 move by 50; sizes are given in bytes of another dtype.
    made = move.stand_in(call("opencl", Shift(), (1600, 400), 3, arrays))
    found = launch("opencl", made, arrays)[1].reshape(3, 200)
    assert (found[:, :150] == x.reshape(3, 200)[:, 50:]).all()


def test_rows_by_number() -> None:
    table = np.arange(40, dtype=np.int32).reshape(8, 5)
    numbers = np.array([3, -1, 99, 0], np.int32)
    arrays = [table, numbers, np.zeros((4, 5), np.int32)]
    made = gather.stand_in(call("opencl", Rows(False, "int64"), (20, 8), 4, arrays))
    assert (launch("opencl", made, arrays)[2] == table[[3, 7, 7, 0]]).all()
    arrays = [table, np.array([3, 3, -2, 99], np.int32), np.arange(20, dtype=np.int32) + 100]
    made = gather.stand_in(call("opencl", Rows(True, "int64"), (20, 8, 4), 1, arrays))
    wanted = table.copy()
    wanted[3], wanted[6] = arrays[2].reshape(4, 5)[1:3]  # the last one wins, 99 is no row
    assert (launch("opencl", made, arrays)[0] == wanted).all()


def test_every_module_of_the_cpu_is_replaced_or_a_single_function() -> None:
    """What calls other C functions must be listed, and have a GPU kernel or a generic way."""
    import inspect

    replaced = {found.__module__ for found in program.stand_ins()}
    for info in pkgutil.iter_modules(kernels.__path__):
        module = importlib.import_module(f"{kernels.__name__}.{info.name}")
        if not hasattr(module, "HANDLES") or info.name in program.CALL_C:
            continue
        text = inspect.getsource(module)
        calls = "tiles.call(" in text or "call_extern" in text
        assert not calls or module.__name__ in replaced, info.name


@pytest.mark.parametrize("spec", GPUS, ids=lambda s: s.name)
def test_kernels_keep_the_limits_of_every_device(spec: Any) -> None:
    device = spec.gpu
    for name in ("f32", "f16", "i8", "i4", "i3", "i2"):
        for rows in (1, 64):
            for ports in (1, 2, 4):
                layout = Layout(parse(name), 256, 64 * ports)
                cut = product_cut(device, layout, ports, rows)
                assert cut.threads <= device.threads
                held = 4 * cut.depth * (cut.rows + cut.columns * ports)
                assert held <= device.local_bytes
    layout = Layout(parse("f16"), 256, 64)
    kernel = GpuLinear(ex.Port(), layout, 64, product_cut(device, layout, 1, 64))
    text = source_of("k", kernel.function(device), device, (1,))
    assert 0 < local_bytes(text) <= device.local_bytes
    assert ("vload_half2" in text) == (device.language == "opencl") != ("unpack2x16float" in text)
    assert "cl_khr_fp16" not in text and "enable f16" not in text  # weights need no feature
    assert "p01" in text and ("const" in text or "var<storage, read> p01" in text)


def test_types_that_gpus_do_not_have() -> None:
    @T.prim_func(s_tir=True)
    def given(x: T.Buffer((4,), "bool"), y: T.Buffer((4,), "int64")):  # type: ignore[no-untyped-def]
        for i in range(T.int64(4)):
            y[i] = T.if_then_else(x[i], T.int64(7), T.Cast("int64", T.Cast("uint8", y[i])))

    text = narrowed(given).script()
    assert "int64" not in text and "bool" not in text and "255" in text
    assert stored("int64") == "int32" and stored("float32") == "float32"
    with pytest.raises(UnsupportedOpError, match="float64"):
        stored("float64")


def test_constants_are_exact() -> None:
    @T.prim_func(s_tir=True)
    def given(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32")):  # type: ignore[no-untyped-def]
        bx = T.launch_thread("blockIdx.x", 1)
        tx = T.launch_thread("threadIdx.x", 64)
        y[bx * 64 + tx] = T.max(x[bx * 64 + tx] + T.float32(12583039.0), T.float32("-inf"))

    class Kernel:
        groups, threads = 1, 64

        def function(self, device: object) -> Any:
            del device
            return given

    for device in DEVICES:
        x = np.zeros(64, np.float32)
        assert (launch(device, Kernel(), [x, x.copy()])[1] == 12583039.0).all()
    assert np.float32(-LARGEST) == np.finfo(np.float32).min
