"""Loops of a plan as C: experts that nobody chose are left out, others are copied to slots."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import OptionError
from edgemoe.plan import Pointer, TensorInfo, WeightSection
from edgemoe.targets.host_c import host_program
from edgemoe.targets.kernel_table import KernelTable
from edgemoe.targets.mcu.slots import with_slots
from edgemoe.targets.program import Program
from edgemoe.targets.weight_table import WeightTable

pytestmark = pytest.mark.needs("cc")

EXPERTS, WIDTH = 5, 7
STRIDE = 16


@pytest.fixture(scope="module")
def toy_kernels():
    path = Path(__file__).with_name("toy_kernels.py")
    spec = importlib.util.spec_from_file_location("edgemoe_mcu_toys", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def weights():
    random = np.random.default_rng(0).integers(-128, 128, (EXPERTS, STRIDE))
    return random.astype(np.int8)


@pytest.fixture
def program(toy_kernels):
    """out = sum over experts e of counts[e] * weights[e]."""
    made = Program(KernelTable(), WeightTable())
    counts = made.buffer("counts", "int32", (EXPERTS,), where="input", index=0)
    out = made.buffer("out", "int32", (WIDTH,), where="output", index=0)
    parts = [
        (WeightSection(f"w[{e}]", 0, STRIDE, "expert", e, "int8"), lambda e=e: weights()[e])
        for e in range(EXPERTS)
    ]
    # Sections of the table are multiples of 64 bytes; here they lie one behind the other.
    stored = made.packed("w", ("toy",), parts)
    made.step(toy_kernels.Zero(), "zero", [Pointer(out), WIDTH], label="zero")
    with made.loop("experts", EXPERTS, counts=counts):
        made.step(
            toy_kernels.AddWeights(), "add", [Pointer(stored, 0, STRIDE), Pointer(out), WIDTH],
            tasks_from=counts, label="add",
        )  # fmt: skip
    return made


INPUTS = [TensorInfo("counts", "int32", (EXPERTS,))]
OUTPUTS = [TensorInfo("out", "int32", (WIDTH,))]
CASES = ([0, 0, 0, 0, 0], [1, 0, 0, 0, 2], [0, 3, 1, 0, 0], [2, 1, 1, 1, 1], [0, 0, 0, 0, 1])


def wanted(counts):
    return (np.array(counts, np.int32)[:, None] * weights()[:, :WIDTH].astype(np.int32)).sum(0)


def check(artifact, device):
    with edgemoe.load(artifact.path, device=device) as session:
        for counts in CASES:
            got = session.run({"counts": np.array(counts, np.int32)})["out"]
            np.testing.assert_array_equal(got, wanted(counts))


def test_a_loop_over_experts_leaves_out_the_resting_ones(program, write_program):
    artifact = write_program(program, INPUTS, OUTPUTS)
    text = (artifact.path / "toy.c").read_text()
    assert "for (int32_t trip = 0; trip < 5; ++trip) {" in text and "if (count > 0)" in text
    assert "fetch" not in text
    check(artifact, "host")


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_experts_are_copied_to_slots(slots, program, write_program):
    staged, decisions = with_slots(program, slots, 8, "cortex-m4")
    artifact = write_program(staged, INPUTS, OUTPUTS)
    assert [d.choice for d in decisions] == [f"{slots} of {STRIDE} B for steps 1-1"]
    assert artifact.plan.variants[0].arena_bytes == slots * STRIDE
    assert "void toy_fetch(void *to" in (artifact.path / "toy.h").read_text()
    check(artifact, "host")


@pytest.mark.needs("arm-none-eabi-gcc", "qemu-system-arm")
def test_slots_work_on_the_core(program, write_program):
    staged, _ = with_slots(program, 2, 8, "cortex-m4")
    check(write_program(staged, INPUTS, OUTPUTS), "qemu")


def test_a_program_without_experts_has_nothing_to_copy(toy_kernels):
    program = Program(KernelTable(), WeightTable())
    out = program.buffer("out", "int32", (3,), where="output", index=0)
    program.step(toy_kernels.Zero(), "zero", [Pointer(out), 3])
    with pytest.raises(OptionError, match="no loop over experts"):
        with_slots(program, 2, 8, "cortex-m4")


def test_the_host_program_of_cpus_refuses_loops(program, write_program):
    plan = write_program(program, INPUTS, OUTPUTS).plan
    with pytest.raises(ValueError, match="loops"):
        host_program(plan, bytes(16))


def test_temporaries_of_a_loop_over_experts_are_made_anew_in_every_trip(toy_kernels):
    program = Program(KernelTable(), WeightTable())
    early, late = (program.buffer(n, "int32", (8,)) for n in ("early", "late"))
    out = program.buffer("out", "int32", (8,), where="output", index=0)
    with program.loop("experts", 3):
        program.step(toy_kernels.Zero(), "zero", [Pointer(early), 8])
        program.step(toy_kernels.Zero(), "zero", [Pointer(late), 8])
    program.step(toy_kernels.Zero(), "zero", [Pointer(out), 8])
    variant = program.finish(None, 8)
    assert [(b.first, b.last) for b in variant.buffers[:2]] == [(0, 0), (1, 1)]
    assert variant.arena_bytes == 32


CORE = {
    "em_smlad": (3, lambda a, b, c: c + low(a) * low(b) + high(a) * high(b)),
    "em_sxtb16": (1, lambda a, b, c: pack(byte(a, 0), byte(a, 2))),
    "em_sxtb16_ror8": (1, lambda a, b, c: pack(byte(a, 1), byte(a, 3))),
    "em_smmul": (2, lambda a, b, c: (a * b) >> 32),
    "em_smmla": (3, lambda a, b, c: ((a * b) >> 32) + c),
    "em_whole_s8": (1, lambda a, b, c: np.clip(a, -128, 127)),
    "em_whole_s16": (1, lambda a, b, c: np.clip(a, -(2**15), 2**15 - 1)),
    "em_limit": (3, lambda a, b, c: np.maximum(np.minimum(a, c), b)),
    "em_lows16": (2, lambda a, b, c: pack(a, b)),
    "em_highs16": (2, lambda a, b, c: pack(a >> 16, b >> 16)),
    "em_low16": (1, lambda a, b, c: low(a)),
    "em_high16": (1, lambda a, b, c: high(a)),
}


def low(x):
    return (x & 0xFFFF) - ((x & 0x8000) << 1)


def high(x):
    return low(x >> 16)


def byte(x, n):
    value = (x >> (8 * n)) & 0xFF
    return value - ((value & 0x80) << 1)


def pack(a, b):
    return (a & 0xFFFF) | ((b & 0xFFFF) << 16)


def check_core(artifact, device):
    edges = np.array([0, -1, 2**31 - 1, -(2**31), 0x7FFF8000, -0x7FFF8000, 0x00800080, 255])
    random = np.random.default_rng(0).integers(-(2**31), 2**31, (3, 56))
    arrays = [np.concatenate([np.roll(edges, n), random[n]]) for n in range(3)]
    feed = dict(zip("abc", (x.astype(np.int32) for x in arrays), strict=True))
    with edgemoe.load(artifact.path, device=device) as session:
        got = session.run(feed)
    for name, (_, reference) in CORE.items():
        expected = reference(*arrays)
        expected = ((expected + 2**31) % 2**32 - 2**31).astype(np.int32)
        np.testing.assert_array_equal(got[name], expected, err_msg=name)


def core_program(toy_kernels):
    program = Program(KernelTable(), WeightTable())
    given = [program.buffer(n, "int32", (64,), where="input", index=i) for i, n in enumerate("abc")]
    for index, (name, (arguments, _)) in enumerate(CORE.items()):
        out = program.buffer(name, "int32", (64,), where="output", index=index)
        program.step(
            toy_kernels.Apply(name, arguments), "apply",
            [*map(Pointer, given), Pointer(out), 64],
        )  # fmt: skip
    inputs = [TensorInfo(n, "int32", (64,)) for n in "abc"]
    return program, inputs, [TensorInfo(n, "int32", (64,)) for n in CORE]


def test_core_functions_in_portable_c(toy_kernels, write_program):
    check_core(write_program(*core_program(toy_kernels)), "host")


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("cortex-m4", marks=pytest.mark.needs("arm-none-eabi-gcc", "qemu-system-arm")),
        pytest.param("cortex-m55", marks=pytest.mark.needs("arm-none-eabi-gcc", "qemu-system-arm")),
        pytest.param(
            "rv32imc", marks=pytest.mark.needs("riscv64-unknown-elf-gcc", "qemu-system-riscv32")
        ),
    ],
)
def test_core_functions_on_the_core(target, toy_kernels, write_program):
    check_core(write_program(*core_program(toy_kernels), target), "qemu")
