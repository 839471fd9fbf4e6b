"""Hand-made plans over hand-written C kernels, to test the runtime without the compiler."""

from __future__ import annotations

import atexit
import itertools
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.artifact import Artifact, ManifestExtras, SelfTest
from edgemoe.artifact_writer import Contents
from edgemoe.plan import (
    Argument,
    Buffer,
    Kernel,
    Plan,
    Pointer,
    Region,
    Step,
    TensorInfo,
    Variant,
    WeightSection,
)
from edgemoe.targets.host_package import write_cpu_artifact
from edgemoe.targets.spec import isa_identifier

KERNELS_C = Path(__file__).parent / "runtime" / "toys" / "kernels.c"
HOST_ISAS = ("aarch64",) if platform.machine() == "aarch64" else ("x86-64", "x86-64-v3")
WIDTH = 6

_SIGNATURES: dict[str, tuple[str, ...]] = {
    "scale": ("float*", "float*", "float*", "int32_t"),
    "add": ("float*", "float*", "float*", "int32_t"),
    "columns": ("float*", "float*", "int32_t"),
    "route": ("float*", "int32_t*", "int32_t*", "int32_t*", "int32_t", "int32_t", "int32_t"),
    "expert": ("float*", "int32_t*", "int32_t*", "float*", "float*", "int32_t", "int32_t"),
    "running": ("float*", "float*", "float*", "float*", "int32_t", "int32_t"),
    "successor": ("int64_t*", "int64_t*", "float*", "int64_t*", "int32_t", "int32_t"),
    "relu": ("float*", "float*", "int32_t"),
    "work": ("float*", "float*", "int32_t"),
}


@dataclass(frozen=True)
class Toy:
    """A plan with the data of its weight sections and its self-tests."""

    plan: Plan
    weights: Sequence[NDArray[Any]]
    selftests: Sequence[SelfTest] = ()
    vocabulary: dict[str, Any] | None = None


def step(kernel: str, *arguments: Argument | int, **more: Any) -> Step:
    """A step; a plain int stays an int, buffers are given as `Pointer`."""
    return Step(kernel, arguments, label=f"toy {kernel}", origin=f"model.{kernel}", **more)


def make_plan(
    name: str,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    variants: Sequence[Variant],
    *,
    weights: Sequence[WeightSection] = (),
    isas: Sequence[str] = HOST_ISAS,
    **more: Any,
) -> Plan:
    used = sorted({s.kernel for v in variants for s in v.steps})
    kernels = tuple(Kernel(k, _SIGNATURES[k], "toy") for k in used)
    nbytes = max((s.offset + s.nbytes for s in weights), default=0)
    return Plan(
        name, "toy-cpu", tuple(isas), tuple(inputs), tuple(outputs), tuple(variants), kernels,
        tuple(weights), nbytes, **more,
    )  # fmt: skip


def mixer(
    buckets: Sequence[int | None] = (2, 5),
    dispatch: str = "static",
    width: int = WIDTH,
    **more: Any,
) -> Toy:
    """y = x * w + b per token; x and y [1, n, width]."""
    generator = np.random.default_rng(3)
    weights = [generator.standard_normal(width).astype(np.float32) for _ in range(2)]
    sections = (
        WeightSection("w", 0, width * 4, "linear"),
        WeightSection("b", 64 * (1 + width // 16), width * 4, "constant"),
    )
    variants = []
    for bucket in buckets:
        n = 3 if bucket is None else bucket
        shape = (1, n, width)
        buffers = (
            Buffer("x", "float32", shape, "input", 0),
            Buffer("w", "float32", (width,), "weights", offset=0),
            Buffer("b", "float32", (width,), "weights", offset=sections[1].offset),
            Buffer("scaled", "float32", shape, "arena", offset=64, first=0, last=1),
            Buffer("y", "float32", shape, "output", 0),
        )
        steps = (
            step("scale", Pointer(0), Pointer(1), Pointer(3), width, tasks=n, macs=n * width,
                 nbytes=4 * (2 * n + 1) * width),
            step("add", Pointer(3), Pointer(2), Pointer(4), width, tasks=n, macs=0,
                 nbytes=4 * (2 * n + 1) * width),
        )  # fmt: skip
        variants.append(Variant(bucket, buffers, steps, (), 64 + n * width * 4, n * width * 4))
    axis = None if buckets == (None,) else 1
    shape = (1, -1 if axis else 3, width)
    plan = make_plan(
        "toy-mixer", [TensorInfo("x", "float32", shape, axis)],
        [TensorInfo("y", "float32", shape, axis)], variants, weights=sections, dispatch=dispatch,
        **more,
    )  # fmt: skip
    x = generator.standard_normal((1, buckets[0] or 3, width)).astype(np.float32)
    test = SelfTest({"x": x}, {"y": x * weights[0] + weights[1]}, 1e-6)
    return Toy(plan, weights, [test])


def columns(buckets: Sequence[int] = (2, 5), dispatch: str = "split", **more: Any) -> Toy:
    """y[c, t] = 2 x[c, t] + c; the token axis is the last one."""
    variants = []
    for n in buckets:
        buffers = (
            Buffer("x", "float32", (3, n), "input", 0),
            Buffer("y", "float32", (3, n), "output", 0),
        )
        steps = (step("columns", Pointer(0), Pointer(1), n, tasks=3),)
        variants.append(Variant(n, buffers, steps, (), 0, 0))
    info = TensorInfo("x", "float32", (3, -1), 1), TensorInfo("y", "float32", (3, -1), 1)
    return Toy(
        make_plan("toy-columns", info[:1], info[1:], variants, dispatch=dispatch, **more), []
    )


def routed(buckets: Sequence[int] = (1, 4), experts: int = 4, **more: Any) -> Toy:
    """Each token is scaled by the expert of its largest feature among the first `experts`."""
    width = WIDTH
    weights = np.random.default_rng(5).standard_normal((experts, width)).astype(np.float32)
    sections = tuple(
        WeightSection("experts.w", e * width * 4, width * 4, "expert", e) for e in range(experts)
    )
    variants = []
    for n in buckets:
        buffers = (
            Buffer("x", "float32", (n, width), "input", 0),
            Buffer("w", "float32", (experts, width), "weights", offset=0),
            Buffer("ids", "int32", (n, 1), "arena", offset=0, first=0, last=1),
            Buffer("active", "int32", (1,), "arena", offset=64 * n, first=0, last=1),
            Buffer("list", "int32", (experts,), "arena", offset=64 * n + 64, first=0, last=1),
            Buffer("y", "float32", (n, width), "output", 0),
        )
        steps = (
            step("route", *map(Pointer, (0, 2, 3, 4)), n, width, experts, region=0),
            step("expert", *map(Pointer, (0, 2, 4, 1, 5)), n, width, tasks=2, tasks_from=3,
                 macs=n * width, nbytes=n * width * 8, region=0),
        )  # fmt: skip
        region = Region("moe_0", "model.experts", "indexed", 2, 0, n, experts, 1, width * 4, width)
        variants.append(Variant(n, buffers, steps, (region,), 64 * n + 128, 64 * n + 96))
    info = [TensorInfo(name, "float32", (-1, width), 0) for name in ("x", "y")]
    plan = make_plan(
        "toy-routed", info[:1], info[1:], variants, weights=sections,
        **{"dispatch": "split", **more},
    )  # fmt: skip
    x = np.eye(width, dtype=np.float32)[:1] * 2
    return Toy(plan, list(weights), [SelfTest({"x": x}, {"y": x * weights[:1]})])


def running(
    buckets: Sequence[int] = (1, 3), in_place: bool = False, dispatch: str = "split", **more: Any
) -> Toy:
    """y = running sum of x over tokens and calls; the state `sum` [width] goes to `next`."""
    width = WIDTH
    variants = []
    for n in buckets:
        buffers = (
            Buffer("x", "float32", (n, width), "input", 0),
            Buffer("sum", "float32", (width,), "input", 1),
            Buffer("y", "float32", (n, width), "output", 0),
            Buffer("next", "float32", (width,), "output", 1),
        )
        steps = (step("running", *map(Pointer, range(4)), n, width),)
        variants.append(Variant(n, buffers, steps, (), 0, 0))
    facts = {**more.pop("facts", {}), "in_place_states": ["sum"] if in_place else []}
    plan = make_plan(
        "toy-running",
        [TensorInfo("x", "float32", (-1, width), 0),
         TensorInfo("sum", "float32", (width,), state_output="next")],
        [TensorInfo("y", "float32", (-1, width), 0), TensorInfo("next", "float32", (width,))],
        variants, dispatch=dispatch, facts=facts, **more,
    )  # fmt: skip
    return Toy(plan, [])


def work(tasks: int = 64, rounds: int = 1000, steps: int = 4, even: bool = False) -> Toy:
    """`steps` dependent steps of `tasks` tasks each, claimed evenly or guided; static shape."""
    buffers = (
        Buffer("x", "float32", (tasks,), "input", 0),
        Buffer("a", "float32", (tasks,), "arena", offset=0),
        Buffer("y", "float32", (tasks,), "output", 0),
    )
    chain = [0, *[1] * (steps - 1), 2]
    program = tuple(
        step("work", Pointer(a), Pointer(b), rounds, tasks=tasks, even=even)
        for a, b in itertools.pairwise(chain)
    )
    variant = Variant(None, buffers, program, (), tasks * 4, tasks * 4)
    info = [TensorInfo(name, "float32", (tasks,)) for name in ("x", "y")]
    return Toy(make_plan("toy-work", info[:1], info[1:], [variant]), [])


def stress(**more: Any) -> Toy:
    """Token work, a state and many tasks in one model, for checkers of memory and threads."""
    width = WIDTH
    variants = []
    for n in (1, 3):
        buffers = (
            Buffer("x", "float32", (n, width), "input", 0),
            Buffer("sum", "float32", (width,), "input", 1),
            Buffer("a", "float32", (n, width), "arena", offset=0, first=0, last=1),
            Buffer("y", "float32", (n, width), "output", 0),
            Buffer("next", "float32", (width,), "output", 1),
        )
        steps = (
            step("work", Pointer(0), Pointer(2), 20, tasks=n * width),
            step("running", Pointer(2), Pointer(1), Pointer(3), Pointer(4), n, width),
            step("work", Pointer(3), Pointer(3), 20, tasks=n * width),
        )
        variants.append(Variant(n, buffers, steps, (), n * width * 4, n * width * 4))
    plan = make_plan(
        "toy-stress",
        [TensorInfo("x", "float32", (-1, width), 0),
         TensorInfo("sum", "float32", (width,), state_output="next")],
        [TensorInfo("y", "float32", (-1, width), 0), TensorInfo("next", "float32", (width,))],
        variants, dispatch="split", **more,
    )  # fmt: skip
    return Toy(plan, [])


def language(
    buckets: Sequence[int] = (1, 4), letters: str = "abcdefg", context: int | None = 40
) -> Toy:
    """A language model with a position as state: the next letter is a simple sum."""
    variants = []
    for n in buckets:
        buffers = (
            Buffer("tokens", "int64", (n,), "input", 0),
            Buffer("position", "int64", (1,), "input", 1),
            Buffer("logits", "float32", (n, len(letters)), "output", 0),
            Buffer("position_out", "int64", (1,), "output", 1),
        )
        steps = (step("successor", *map(Pointer, range(4)), n, len(letters)),)
        variants.append(Variant(n, buffers, steps, (), 0, 0))
    plan = make_plan(
        "toy-language",
        [TensorInfo("tokens", "int64", (-1,), 0),
         TensorInfo("position", "int64", (1,), state_output="position_out")],
        [TensorInfo("logits", "float32", (-1, len(letters)), 0),
         TensorInfo("position_out", "int64", (1,))],
        variants, dispatch="split", facts={"context_tokens": context},
    )  # fmt: skip
    return Toy(plan, [], vocabulary={"tokens": list(letters)})


def scored(buckets: Sequence[int] = (1, 8)) -> Toy:
    """Scores per token and expert, zero where the expert is not active; the scores are returned."""
    variants = []
    for n in buckets:
        buffers = (
            Buffer("x", "float32", (n, WIDTH), "input", 0),
            Buffer("y", "float32", (n, WIDTH), "output", 0),
        )
        steps = (step("relu", Pointer(0), Pointer(1), WIDTH, tasks=n, region=0),)
        region = Region("moe_0", "model.blocks.0", "scored", 1, 0, n, WIDTH, WIDTH, 64, 1)
        variants.append(Variant(n, buffers, steps, (region,), 0, 0))
    info = [TensorInfo(name, "float32", (-1, WIDTH), 0) for name in ("x", "y")]
    return Toy(make_plan("toy-scored", info[:1], info[1:], variants, dispatch="split"), [])


def compile_kernels(folder: Path, isas: Sequence[str], compiler: Sequence[str]) -> list[Path]:
    """Compile the toy kernels once per instruction set (all with the same, plain code)."""
    objects = []
    for isa in isas:
        target = folder / f"toys__{isa_identifier(isa)}.o"
        subprocess.run(
            [*compiler, "-std=c99", "-O2", "-fPIC", "-c", f"-DISA={isa_identifier(isa)}",
             str(KERNELS_C), "-o", str(target)],
            check=True,
        )  # fmt: skip
        objects.append(target)
    return objects


@cache
def cached_compiler() -> tuple[str, ...]:
    """The C compiler, but for the sources of the runtime, which are compiled once per session."""
    folder = tempfile.mkdtemp(prefix="edgemoe-objects-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return (sys.executable, "-S", str(Path(__file__).parent / "cached_cc.py"), folder, "cc")


def build(toy: Toy, out: Path, *, compiler: Sequence[str] = ("cc",), command: str = "") -> Artifact:
    """Write a whole artifact to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        return write_cpu_artifact(
            out,
            toy.plan,
            toy.weights,
            compile_kernels(Path(folder), toy.plan.isas, compiler),
            Contents(toy.selftests, ManifestExtras(command, vocabulary=toy.vocabulary)),
            compiler=cached_compiler() if tuple(compiler) == ("cc",) else compiler,
        )
