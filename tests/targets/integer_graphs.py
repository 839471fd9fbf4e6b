"""Small integer graphs, lowered and run as the C that a microcontroller gets."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from edgemoe.artifact import SelfTest
from edgemoe.artifact_writer import Contents
from edgemoe.integer.expert_groups import group_experts
from edgemoe.integer.operator_table import DOMAIN, evaluate
from edgemoe.plan import Plan, Pointer, Step, TensorInfo, Variant
from edgemoe.precision import Precision
from edgemoe.target_options import TargetOptions
from edgemoe.targets import family_of, load_target
from edgemoe.targets.kernel_table import KernelTable
from edgemoe.targets.lowering import lower
from edgemoe.targets.mcu.c_kernels import c_kernels, core_header
from edgemoe.targets.program import Program
from edgemoe.targets.weight_table import WeightTable

Array = np.ndarray


class GraphOfOps:
    """Builds a graph node by node, and computes every tensor with the reference."""

    def __init__(self) -> None:
        self.values: dict[str, ir.Value] = {}
        self.arrays: dict[str, Array] = {}
        self.inputs: list[ir.Value] = []
        self.constants: list[ir.Value] = []
        self.nodes: list[ir.Node] = []

    def _value(self, name: str, array: Array) -> ir.Value:
        dtype = ir.TensorType(ir.DataType.from_numpy(array.dtype))
        self.values[name] = ir.Value(name=name, shape=ir.Shape(array.shape), type=dtype)
        self.arrays[name] = array
        return self.values[name]

    def input(self, name: str, array: Array) -> str:
        self.inputs.append(self._value(name, np.ascontiguousarray(array)))
        return name

    def constant(self, name: str, array: Array) -> str:
        value = self._value(name, array)
        value.const_value = ir.tensor(array, name=name)
        self.constants.append(value)
        return name

    def node(self, op: str, inputs: Sequence[str], **attributes: int) -> list[str]:
        found = evaluate(op, [self.arrays[n] for n in inputs], attributes)
        names = [f"{op.lower()}{len(self.nodes)}.{n}" for n in range(len(found))]
        outputs = [self._value(n, array) for n, array in zip(names, found, strict=True)]
        given = [ir.AttrInt64(k, v) for k, v in attributes.items()]
        self.nodes.append(
            ir.Node(DOMAIN, op, [self.values[n] for n in inputs], given, outputs=outputs,
                    name=f"node{len(self.nodes)}")
        )  # fmt: skip
        return names

    def model(self, outputs: Sequence[str]) -> ir.Model:
        graph = ir.Graph(
            self.inputs, [self.values[n] for n in outputs], nodes=self.nodes,
            initializers=self.constants, opset_imports={"": 21, DOMAIN: 1}, name="graph",
        )  # fmt: skip
        return ir.Model(graph, ir_version=10)


def program_of(model: ir.Model, core: str) -> tuple[Program, Variant]:
    group_experts(model.graph)
    program = Program(KernelTable(), WeightTable(), core=core)
    lower(model, program)
    return program, program.finish(None, 8)


def run(graph: GraphOfOps, outputs: Sequence[str], core: str, folder: Path) -> list[Array]:
    """The outputs as generated C computes them on this machine."""
    program, variant = program_of(graph.model(outputs), core)
    library = _library(program, folder)
    weights = np.zeros(program.weights.nbytes + 8, np.uint8)
    for section, data in zip(program.weights.sections, program.weights.data(), strict=True):
        weights[section.offset : section.offset + section.nbytes] = data.view(np.uint8).reshape(-1)
    arena = np.full(variant.arena_bytes + 8, 77, np.uint8)
    results = [np.zeros_like(graph.arrays[n]) for n in outputs]
    places = {
        "arena": lambda b: arena.ctypes.data + b.offset,
        "weights": lambda b: weights.ctypes.data + b.offset,
        "input": lambda b: graph.arrays[str(graph.inputs[b.index].name)].ctypes.data,
        "output": lambda b: results[b.index].ctypes.data,
    }

    def call(step: Step, trip: int, count: int) -> None:
        arguments: list[Any] = []
        for argument in step.arguments:
            if isinstance(argument, Pointer):
                buffer = variant.buffers[argument.buffer]
                base = places[buffer.where](buffer) + argument.offset + argument.stride * trip
                arguments.append(ctypes.c_void_p(base))
            else:
                arguments.append(ctypes.c_int32(argument))
        tasks = step.tasks if step.tasks_from is None else step.tasks * count
        library[f"k_{step.kernel}"](*arguments, ctypes.c_int32(0), ctypes.c_int32(tasks))

    _walk(variant, arena, call)
    return results


def _walk(variant: Variant, arena: Array, call: Any) -> None:
    number = 0
    while number < len(variant.steps):
        loop = variant.loop_at(number)
        if loop is None or loop.counts is None:
            call(variant.steps[number], 0, 0)
            number += 1
            continue
        offset = variant.buffers[loop.counts].offset
        for trip in range(loop.trips):
            count = int(arena[offset + 4 * trip :][:4].view(np.int32)[0])
            for step in variant.steps[loop.first : loop.last + 1] if count else ():
                call(step, trip, count)
        number = loop.last + 1


def _library(program: Program, folder: Path) -> Mapping[str, Any]:
    isa = load_target("rv32imc").isas[0]
    built = {name: spec.build(name, isa) for spec, name in program.kernels.names.items()}
    kernels = c_kernels(built, "k")
    (folder / "em_core.h").write_text(core_header())
    (folder / "k.h").write_text(f"#include <stdint.h>\n{kernels.prototypes()}\n")
    (folder / "k.c").write_text(kernels.text("k.h"))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O0", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", "k.so", "k.c"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "k.so"))  # type: ignore[return-value]


def artifact_of(
    graph: GraphOfOps, outputs: Sequence[str], target: str, out: Path, *, as_objects: bool = False
) -> Path:
    """The graph as an artifact for a microcontroller; its self-test are the graph's own arrays."""
    spec = load_target(target)
    family = family_of(spec)
    model = graph.model(outputs)
    infos = [
        tuple(
            TensorInfo(f"t{n}", str(v.dtype.numpy().name), tuple(v.shape.numpy()))
            for n, v in enumerate(values, start)
        )
        for start, values in ((0, model.graph.inputs), (100, model.graph.outputs))
    ]
    options = TargetOptions(objects=as_objects)
    lowered = family.lower(spec, [model], [None], Precision(), options=options)
    plan = Plan(
        "graph", spec.name, tuple(isa.name for isa in spec.isas), *infos, lowered.variants,
        lowered.kernels.kernels(), tuple(lowered.weights.sections), lowered.weights.nbytes,
    )  # fmt: skip
    test = SelfTest(
        {f"t{n}": graph.arrays[str(v.name)] for n, v in enumerate(graph.inputs)},
        {f"t{100 + n}": graph.arrays[name] for n, name in enumerate(outputs)}, 0.0,
    )  # fmt: skip
    family.write(spec, lowered, plan, out, Contents([test]), lambda what, step: None)
    return out
