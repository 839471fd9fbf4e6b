"""Hand-made plans over hand-written kernels, to test the runtime of GPUs without the compiler.

A kernel is written once, in what OpenCL C and WGSL have in common; REAL and INT declare variables.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgemoe.artifact import Artifact, ManifestExtras, SelfTest
from edgemoe.artifact_writer import Contents, write_artifact
from edgemoe.plan import (
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
from edgemoe.targets.gpu.host_c import write_opencl_host
from edgemoe.targets.gpu.web import write_web

WIDTH = 6
THREADS = 32
_TYPES = {
    "float*": ("float", "f32"), "half*": ("half", "f16"), "int32_t*": ("int", "i32"),
    "uint32_t*": ("uint", "u32"),
}  # fmt: skip


@dataclass(frozen=True)
class GpuToy:
    """A plan with the texts of its kernels, the data of its weights and its self-tests."""

    plan: Plan
    sources: dict[str, str]
    weights: Sequence[np.ndarray] = ()
    selftests: Sequence[SelfTest] = ()
    vocabulary: dict[str, Any] | None = None


class Kernels:
    """Collects kernels while variants are written down."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.kernels: list[Kernel] = []
        self.sources: dict[str, str] = {}

    def add(
        self,
        parameters: str,
        body: str,
        *,
        name: str,
        count: int,
        read_only: tuple[int, ...] = (),
        threads: int = THREADS,
    ) -> str:
        """Add a kernel; thread i of `count` runs `body` on p0, p1, ..."""
        types = tuple(parameters.split())
        make = self._opencl if self.language == "opencl" else self._wgsl
        self.sources[name] = make(types, body, name, count, read_only, threads)
        self.kernels.append(Kernel(name, types, "toy", threads=threads, read_only=read_only))
        return name

    def _opencl(self, types, body, name, count, read_only, threads):
        arguments = ", ".join(
            f"__global {'const ' * (n in read_only)}{_TYPES[t][0]}* p{n}"
            for n, t in enumerate(types)
        )
        body = body.replace("REAL", "float").replace("INT", "int")
        return (
            f"__kernel void {name}({arguments})\n{{\n  int i = (int)get_global_id(0);\n"
            f"  if (i >= {count}) {{ return; }}\n  {body}\n}}\n"
        )

    def _wgsl(self, types, body, name, count, read_only, threads):
        for word in ("REAL", "INT"):
            body = body.replace(f"{word} ", "var ")
        bindings = "".join(
            f"@group(0) @binding({n}) var<storage, {'read' if n in read_only else 'read_write'}> "
            f"p{n} : array<{_TYPES[t][1]}>;\n"
            for n, t in enumerate(types)
        )
        return (
            f"{bindings}@compute @workgroup_size({threads})\n"
            f"fn {name}(@builtin(workgroup_id) group : vec3<u32>, "
            "@builtin(local_invocation_id) local : vec3<u32>)\n{\n"
            f"  let i = i32((group.z * 65535u + group.x) * {threads}u + local.x);\n"
            f"  if (i >= {count}) {{ return; }}\n  {body}\n}}\n"
        )


def _step(kernel: str, *buffers: int, count: int = 1, threads: int = THREADS, **more: Any) -> Step:
    groups = -(-count // threads)
    return Step(
        kernel, tuple(map(Pointer, buffers)), groups, label=f"toy {kernel}",
        origin=f"model.{kernel}", macs=count, nbytes=8 * count, **more,
    )  # fmt: skip


def _plan(name, kernels, inputs, outputs, variants, weights=(), **more) -> Plan:
    nbytes = max((s.offset + s.nbytes for s in weights), default=0)
    return Plan(
        name, f"toy-{kernels.language}", (kernels.language,), tuple(inputs), tuple(outputs),
        tuple(variants), tuple(kernels.kernels), tuple(weights), nbytes, **more,
    )  # fmt: skip


def mixer(language: str, buckets=(2, 5), dispatch: str = "static", rows: int = 1, **more) -> GpuToy:
    """y = x * w + b per token; x and y [rows, n, 6]; the token axis is the second."""
    kernels = Kernels(language)
    generator = np.random.default_rng(3)
    weights = [generator.standard_normal(WIDTH).astype(np.float32) for _ in range(2)]
    sections = (
        WeightSection("w", 0, WIDTH * 4, "linear"),
        WeightSection("b", 256, WIDTH * 4, "constant"),
    )
    variants = []
    for bucket in buckets:
        n = 3 if bucket is None else bucket
        count, shape = rows * n * WIDTH, (rows, n, WIDTH)
        scale = kernels.add("float* float* float*", f"p2[i] = p0[i] * p1[i % {WIDTH}];",
                            name=f"scale_{n}", count=count, read_only=(1,))  # fmt: skip
        add = kernels.add("float* float* float*", f"p2[i] = p0[i] + p1[i % {WIDTH}];",
                          name=f"add_{n}", count=count, read_only=(1,))  # fmt: skip
        buffers = (
            Buffer("x", "float32", shape, "input", 0),
            Buffer("w", "float32", (WIDTH,), "weights", offset=0),
            Buffer("b", "float32", (WIDTH,), "weights", offset=256),
            Buffer("scaled", "float32", shape, "arena", offset=256, first=0, last=1),
            Buffer("y", "float32", shape, "output", 0),
        )
        steps = (_step(scale, 0, 1, 3, count=count), _step(add, 3, 2, 4, count=count))
        variants.append(Variant(bucket, buffers, steps, (), 256 + count * 4, count * 4))
    axis = None if buckets == (None,) else 1
    shape = (rows, 3 if axis is None else -1, WIDTH)
    info = [TensorInfo(name, "float32", shape, axis) for name in ("x", "y")]
    plan = _plan("toy-mixer", kernels, info[:1], info[1:], variants, sections, dispatch=dispatch,
                 **more)  # fmt: skip
    x = generator.standard_normal((rows, buckets[0] or 3, WIDTH)).astype(np.float32)
    # A compiler may contract the sum to a fused multiply-add, the steps here cannot.
    test = SelfTest({"x": x}, {"y": x * weights[0] + weights[1]}, 1e-6)
    return GpuToy(plan, kernels.sources, weights, [test])


def running(
    language: str, buckets=(1, 3), in_place: bool = False, dispatch: str = "split", **more
) -> GpuToy:
    """y = running sum of x over tokens and calls; the state `sum` [6] goes to `next`."""
    kernels = Kernels(language)
    variants = []
    for n in buckets:
        inner = f"for (INT t = 0; t < {n}; t++) {{"
        if in_place:
            name = kernels.add(
                "float* float* float*",
                f"REAL s = p1[i]; {inner} s = s + p0[t * {WIDTH} + i]; p2[t * {WIDTH} + i] = s; }} "
                "p1[i] = s;",
                name=f"running_{n}", count=WIDTH,
            )  # fmt: skip
            places = (0, 1, 2)
        else:
            name = kernels.add(
                "float* float* float* float*",
                f"REAL s = p1[i]; {inner} s = s + p0[t * {WIDTH} + i]; p2[t * {WIDTH} + i] = s; }} "
                "p3[i] = s;",
                name=f"running_{n}", count=WIDTH,
            )  # fmt: skip
            places = (0, 1, 2, 3)
        buffers = (
            Buffer("x", "float32", (n, WIDTH), "input", 0),
            Buffer("sum", "float32", (WIDTH,), "input", 1),
            Buffer("y", "float32", (n, WIDTH), "output", 0),
            Buffer("next", "float32", (WIDTH,), "output", 1),
        )
        steps = (_step(name, *places, count=WIDTH),)
        variants.append(Variant(n, buffers, steps, (), 0, 0))
    facts = {"in_place_states": ["sum"]} if in_place else {}
    plan = _plan(
        "toy-running", kernels,
        [TensorInfo("x", "float32", (-1, WIDTH), 0),
         TensorInfo("sum", "float32", (WIDTH,), state_output="next")],
        [TensorInfo("y", "float32", (-1, WIDTH), 0), TensorInfo("next", "float32", (WIDTH,))],
        variants, dispatch=dispatch, facts=facts, **more,
    )  # fmt: skip
    return GpuToy(plan, kernels.sources)


def routed(language: str, buckets=(1, 4), experts: int = 4, **more) -> GpuToy:
    """Each token is scaled by the expert of its largest feature among the first `experts`."""
    kernels = Kernels(language)
    weights = np.random.default_rng(5).standard_normal((experts, WIDTH)).astype(np.float32)
    sections = tuple(
        WeightSection("experts.w", e * WIDTH * 4, WIDTH * 4, "expert", e) for e in range(experts)
    )
    variants = []
    for n in buckets:
        route = kernels.add(
            "float* int32_t*",
            f"INT best = 0; for (INT e = 1; e < {experts}; e++) {{ "
            f"if (p0[i * {WIDTH} + e] > p0[i * {WIDTH} + best]) {{ best = e; }} }} p1[i] = best;",
            name=f"route_{n}", count=n,
        )  # fmt: skip
        expert = kernels.add(
            "float* int32_t* float* float*",
            f"p3[i] = p0[i] * p2[p1[i / {WIDTH}] * {WIDTH} + i % {WIDTH}];",
            name=f"expert_{n}", count=n * WIDTH, read_only=(2,),
        )  # fmt: skip
        buffers = (
            Buffer("x", "float32", (n, WIDTH), "input", 0),
            Buffer("w", "float32", (experts, WIDTH), "weights", offset=0),
            Buffer("ids", "int32", (n, 1), "arena", offset=256, first=0, last=1),
            Buffer("y", "float32", (n, WIDTH), "output", 0),
        )
        steps = (_step(route, 0, 2, count=n, region=0),
                 _step(expert, 0, 2, 1, 3, count=n * WIDTH, region=0))  # fmt: skip
        region = Region("moe_0", "model.experts", "indexed", 2, 0, n, experts, 1, WIDTH * 4, WIDTH)
        variants.append(Variant(n, buffers, steps, (region,), 256 + 4 * n, 4 * n))
    info = [TensorInfo(name, "float32", (-1, WIDTH), 0) for name in ("x", "y")]
    plan = _plan("toy-routed", kernels, info[:1], info[1:], variants, sections,
                 **{"dispatch": "split", **more})  # fmt: skip
    x = np.eye(WIDTH, dtype=np.float32)[:1] * 2
    return GpuToy(
        plan, kernels.sources, list(weights), [SelfTest({"x": x}, {"y": x * weights[:1]})]
    )


def language(
    language: str, buckets=(1, 4), letters: str = "abcdefg", context: int | None = 40
) -> GpuToy:
    """A language model with a position as state: the next letter is a simple sum."""
    kernels = Kernels(language)
    count = len(letters)
    variants = []
    for n in buckets:
        name = kernels.add(
            "int32_t* int32_t* float* int32_t*",
            f"INT wanted = (p0[i] + p1[0] + i + 1) % {count}; "
            f"for (INT c = 0; c < {count}; c++) {{ p2[i * {count} + c] = 0.0f; }} "
            f"p2[i * {count} + wanted] = 1.0f; if (i == 0) {{ p3[0] = p1[0] + {n}; }}",
            name=f"successor_{n}", count=n,
        )  # fmt: skip
        buffers = (
            Buffer("tokens", "int32", (n,), "input", 0),
            Buffer("position", "int32", (1,), "input", 1),
            Buffer("logits", "float32", (n, count), "output", 0),
            Buffer("position_out", "int32", (1,), "output", 1),
        )
        variants.append(Variant(n, buffers, (_step(name, 0, 1, 2, 3, count=n),), (), 0, 0))
    plan = _plan(
        "toy-language", kernels,
        [TensorInfo("tokens", "int64", (-1,), 0),
         TensorInfo("position", "int64", (1,), state_output="position_out")],
        [TensorInfo("logits", "float32", (-1, count), 0),
         TensorInfo("position_out", "int64", (1,))],
        variants, dispatch="split", facts={"context_tokens": context},
    )  # fmt: skip
    return GpuToy(plan, kernels.sources, vocabulary={"tokens": list(letters)})


def dtypes(language: str) -> GpuToy:
    """An output per dtype, one more than its input; bool is negated."""
    kernels = Kernels(language)
    real = kernels.add("float* float*", "p1[i] = p0[i] + 1.0f;", name="real", count=5)
    whole = kernels.add("int32_t* int32_t*", "p1[i] = p0[i] + 1;", name="whole", count=5)
    negate = kernels.add("int32_t* int32_t*", "p1[i] = 1 - p0[i];", name="negate", count=5)
    names = [
        *("float32", "float64", "float16", "bfloat16"),
        *("int8", "uint8", "int16", "int32", "int64", "bool"),
    ]
    buffers, steps = [], []
    for number, name in enumerate(names):
        real_type = "float" in name
        on_device = "float32" if real_type else "int32"
        buffers += [Buffer(f"in_{name}", on_device, (5,), "input", number),
                    Buffer(f"out_{name}", on_device, (5,), "output", number)]  # fmt: skip
        kernel = real if real_type else negate if name == "bool" else whole
        steps.append(_step(kernel, 2 * number, 2 * number + 1, count=5))
    plan = _plan(
        "toy-dtypes", kernels, [TensorInfo(f"in_{name}", name, (5,)) for name in names],
        [TensorInfo(f"out_{name}", name, (5,)) for name in names],
        [Variant(None, tuple(buffers), tuple(steps), (), 0, 0)],
    )  # fmt: skip
    return GpuToy(plan, kernels.sources)


def many_groups(language: str) -> GpuToy:
    """More work-groups than one dimension of a dispatch has."""
    kernels = Kernels(language)
    count = 70_000
    name = kernels.add(
        "float* float*", "p1[i] = p0[i] * 2.0f;", name="twice", count=count, threads=1
    )
    buffers = (Buffer("x", "float32", (count,), "input", 0),
               Buffer("y", "float32", (count,), "output", 0))  # fmt: skip
    variant = Variant(None, buffers, (_step(name, 0, 1, count=count, threads=1),), (), 0, 0)
    info = [TensorInfo(n, "float32", (count,)) for n in ("x", "y")]
    return GpuToy(_plan("toy-groups", kernels, info[:1], info[1:], [variant]), kernels.sources)


def chain(language: str, steps: int = 5, count: int = 33) -> GpuToy:
    """`steps` steps that depend on each other: y = x + steps, between two places of the arena."""
    kernels = Kernels(language)
    name = kernels.add("float* float*", "p1[i] = p0[i] + 1.0f;", name="more", count=count)
    buffers = (
        Buffer("x", "float32", (count,), "input", 0),
        Buffer("a", "float32", (count,), "arena", offset=0),
        Buffer("b", "float32", (count,), "arena", offset=256),
        Buffer("y", "float32", (count,), "output", 0),
    )
    places = [0, *[1 + n % 2 for n in range(steps - 1)], 3]
    program = tuple(_step(name, a, b, count=count) for a, b in itertools.pairwise(places))
    variant = Variant(None, buffers, program, (), 512, 512)
    info = [TensorInfo(n, "float32", (count,)) for n in ("x", "y")]
    return GpuToy(_plan("toy-chain", kernels, info[:1], info[1:], [variant]), kernels.sources)


def needs_of(toy: GpuToy, language: str) -> dict[str, Any]:
    """The manifest's table of what the kernels need."""
    plan = toy.plan
    buffers = [b for v in plan.variants for b in v.buffers]
    return {
        "language": language,
        "fp16": False,
        "subgroups": False,
        "integer_dot": False,
        "threads": max(kernel.threads for kernel in plan.kernels),
        "local_bytes": 0,
        "storage_buffers": max(len(kernel.parameters) for kernel in plan.kernels),
        "alignment": 256,
        "binding_bytes": max(buffer.nbytes for buffer in buffers),
    }


def write(toy: GpuToy, out: Path, language: str, **needs: Any) -> Artifact:
    """Write a whole artifact, as the compiler does; `needs` replace what the kernels need."""
    family, suffix = ("opencl", "cl") if language == "opencl" else ("webgpu", "wgsl")
    plan = toy.plan
    needs = {**needs_of(toy, language), **needs}
    contents = Contents(toy.selftests, ManifestExtras(vocabulary=toy.vocabulary))

    def add(folder: Path, build_id: bytes) -> dict[str, Any]:
        (folder / "kernels").mkdir()
        for name, text in toy.sources.items():
            (folder / "kernels" / f"{name}.{suffix}").write_text(text)
        if family == "opencl":
            write_opencl_host(plan, folder, needs, build_id, contents.first_inputs)
        else:
            write_web(plan, folder)
        return {"family": family, "machine": family, "library": "plan.json", "gpu": needs}

    return write_artifact(out, plan, contents, add, weights=toy.weights)
