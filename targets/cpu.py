"""The CPU family: programs of all variants, kernels for every instruction set, one library."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import onnx_ir as ir

from edgemoe.artifact import Artifact
from edgemoe.artifact_writer import Contents
from edgemoe.errors import OptionError
from edgemoe.plan import Decision, Plan, Pointer, TensorInfo, Variant
from edgemoe.precision import Precision
from edgemoe.target_options import NO_OPTIONS, TargetOptions
from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.cpuinfo import flags_of, isas_of
from edgemoe.targets.host_package import write_cpu_artifact
from edgemoe.targets.kernel_table import KernelTable, uses_of
from edgemoe.targets.lowering import lower as lower_program
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa, TargetSpec
from edgemoe.targets.tuning.tunings import UNTUNED, Tunings
from edgemoe.targets.weight_table import WeightTable
from edgemoe.weight_format import WeightFormat

PRECISIONS: tuple[str, ...] = ()
"""Weight formats that programs may have; empty: all there are."""

_TOOLS = ("apache-tvm", "onnx", "onnx-ir", "onnxruntime", "numpy")


def with_isas(spec: TargetSpec, cpu: str) -> TargetSpec:
    """Keep the instruction sets that `--cpu` asks for: "all", "native" or one by name."""
    if cpu == "all":
        return spec
    if cpu == "native":
        cpu = _native(spec)
    kept = tuple(isa for isa in spec.isas if isa.name == cpu)
    if not kept:
        names = ", ".join(isa.name for isa in spec.isas)
        raise OptionError(f"--cpu {cpu}: target {spec.name} has all, native, {names}")
    # Alone, an instruction set cannot borrow the kernels of another one.
    return replace(spec, isas=tuple(replace(isa, bases=()) for isa in kept))


def _native(spec: TargetSpec) -> str:
    """The best instruction set of `spec` that this machine has."""
    if not runs_here(spec):
        raise OptionError(f"--cpu native: this machine is no {spec.architecture}")
    return isas_here(spec)[-1].name


def isas_here(spec: TargetSpec) -> list[Isa]:
    """The instruction sets of `spec` that this machine runs, best last."""
    return isas_of(spec, flags_of(Path("/proc/cpuinfo").read_text("utf-8"), spec))


def runs_here(spec: TargetSpec) -> bool:
    """Tell whether this machine can load a library for `spec`."""
    return spec.architecture == platform.machine()


def default_tokens() -> Sequence[int] | None:
    """Token counts where the user gives none: the usual ones."""
    return None


@dataclass(frozen=True)
class Lowered:
    """All variants with what they share."""

    variants: tuple[Variant, ...]
    kernels: KernelTable
    weights: WeightTable
    tunings: Tunings = UNTUNED
    decisions: tuple[Decision, ...] = ()
    objects: bool = False  # kernels as objects by LLVM where C source is usual


def lower_variants(
    graphs: Sequence[ir.Model], counts: Sequence[int | None], precision: Precision | WeightFormat,
    tunings: Tunings = UNTUNED,
) -> Lowered:  # fmt: skip
    """Lower fused graphs of static shapes; equal weights and kernels are shared."""
    if isinstance(precision, WeightFormat):
        precision = Precision(precision)
    kernels, weights = KernelTable(), WeightTable()
    variants = []
    for graph, count in zip(graphs, counts, strict=True):
        program = Program(kernels, weights, precision, tunings, turns_rows=True)
        lower_program(graph, program)
        variants.append(program.finish(count))
    return Lowered(tuple(variants), kernels, weights, tunings)


def lower(
    spec: TargetSpec, graphs: Sequence[ir.Model], counts: Sequence[int | None],
    precision: Precision, tunings: Tunings = UNTUNED, options: TargetOptions = NO_OPTIONS,
) -> Lowered:  # fmt: skip
    """Lower fused graphs of static shapes for `spec`.

    Raises:
        OptionError: an option is for microcontrollers.
    """
    options.refuse_for_microcontrollers(spec.name)
    return lower_variants(graphs, counts, precision, tunings)


def static_infos(infos: Sequence[TensorInfo], count: int | None) -> tuple[TensorInfo, ...]:
    """Inputs or outputs as the plan has them: with their token axis."""
    del count
    return tuple(infos)


def in_place_states(lowered: Lowered, inputs: Sequence[TensorInfo],
                    outputs: Sequence[TensorInfo]) -> list[str]:  # fmt: skip
    """States whose input nobody reads once their output has been begun, in any variant."""
    names = [info.name for info in outputs]
    found = []
    for number, info in enumerate(inputs):
        if info.state_output is None:
            continue
        result = names.index(info.state_output)
        if all(_may_share(variant, number, result) for variant in lowered.variants):
            found.append(info.name)
    return found


def _may_share(variant: Variant, number: int, result: int) -> bool:
    def place(where: str, index: int) -> list[int]:
        return [i for i, b in enumerate(variant.buffers) if b.where == where and b.index == index]

    sources, targets = place("input", number), place("output", result)
    if not targets:
        return False
    touched: dict[int, list[int]] = {}
    for position, step in enumerate(variant.steps):
        for argument in step.arguments:
            if isinstance(argument, Pointer):
                touched.setdefault(argument.buffer, []).append(position)
    first_write = min(min(touched.get(t, [len(variant.steps)])) for t in targets)
    last_read = max((max(touched.get(s, [-1])) for s in sources), default=-1)
    if last_read < first_write:
        return True
    return last_read == first_write and any(
        variant.steps[first_write].kernel.startswith(kind) for kind in ("copy",)
    )


def write(
    spec: TargetSpec, lowered: Lowered, plan: Plan, out: Path, contents: Contents,
    show: Callable[[str, int], None],
) -> Artifact:  # fmt: skip
    """Generate the kernels and write the artifact."""
    with tempfile.TemporaryDirectory(prefix="edgemoe-") as folder:
        objects: list[Path] = []
        for number, isa in enumerate(spec.isas):
            show(f"kernels for {isa.name}", number)
            built = {
                name: kernel.build(name, isa)
                for kernel, name in lowered.kernels.names.items()
                if isa.owner(uses_of(kernel)) == isa
            }
            objects += compile_kernels(built, isa, Path(folder))
        show("library", len(spec.isas))
        return write_cpu_artifact(
            out, plan, lowered.weights.data(), objects, contents, compiler=spec.compiler
        )


def versions() -> dict[str, str]:
    """Versions of the tools that an artifact depends on."""
    return {name: version(name) for name in _TOOLS}


def generic_steps(variants: Sequence[Variant], kernels: KernelTable) -> list[str]:
    """Labels of steps that no kernel of ours computes."""
    return [
        step.label
        for variant in variants
        for step in variant.steps
        if kernels.templates.get(step.kernel) == "generic"
    ]
