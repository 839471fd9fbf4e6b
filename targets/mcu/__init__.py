"""The microcontroller family: a folder of C99 for one core, checked on this machine and in QEMU."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from edgemoe.artifact import Artifact
from edgemoe.artifact_writer import Contents
from edgemoe.errors import OptionError
from edgemoe.integer.expert_groups import group_experts
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.read_in_place import read_in_place
from edgemoe.plan import Decision, Plan, TensorInfo
from edgemoe.precision import Precision
from edgemoe.target_options import NO_OPTIONS, TargetOptions
from edgemoe.targets.cpu import Lowered, generic_steps, in_place_states, versions
from edgemoe.targets.kernel_table import KernelTable
from edgemoe.targets.mcu import patches, slots
from edgemoe.targets.mcu.c_kernels import c_kernels
from edgemoe.targets.mcu.division import Strips
from edgemoe.targets.mcu.header import nbytes_of
from edgemoe.targets.mcu.names import identifier
from edgemoe.targets.mcu.objects import write_objects
from edgemoe.targets.mcu.package import write_mcu_artifact
from edgemoe.targets.mcu.tiling import Tiled, within
from edgemoe.targets.microcontroller import Microcontroller
from edgemoe.targets.program import Program
from edgemoe.targets.spec import TargetSpec
from edgemoe.targets.tuning.tunings import UNTUNED, Tunings
from edgemoe.targets.weight_table import WeightTable

__all__ = [
    "default_tokens", "divide", "generic_steps", "in_place_states", "lower", "runs_here",
    "static_infos", "versions", "with_isas", "write",
]  # fmt: skip

PRECISIONS = ("f32", "bf16")
"""Weight formats that programs may have."""

FORMATS = ("float32", "bfloat16")
"""Stored formats of weights that the float kernels read as plain C, beside codes with `a32`."""


def facts_of(spec: TargetSpec) -> Microcontroller:
    """The table `[mcu]` of a target; raises TargetError where it has none."""
    from edgemoe.errors import TargetError

    if spec.mcu is None:
        raise TargetError(f"target {spec.name} is of family mcu, but its file has no table [mcu]")
    return spec.mcu


def with_isas(spec: TargetSpec, cpu: str) -> TargetSpec:
    """A microcontroller has one instruction set; `--cpu` may only name it."""
    facts_of(spec)
    if cpu not in ("all", *(isa.name for isa in spec.isas)) or len(spec.isas) != 1:
        raise OptionError(f"--cpu {cpu}: target {spec.name} has all, {spec.isas[0].name}")
    return spec


def runs_here(spec: TargetSpec) -> bool:
    """Tell whether the generated C can be compiled for this machine, to measure what it loses."""
    del spec
    return shutil.which("cc") is not None


def default_tokens() -> Sequence[int]:
    """Token counts where the user gives none: a device reads one token after the other."""
    return (1,)


def lower(
    spec: TargetSpec, graphs: Sequence[ir.Model], counts: Sequence[int | None],
    precision: Precision, tunings: Tunings = UNTUNED, options: TargetOptions = NO_OPTIONS,
) -> Lowered:  # fmt: skip
    """Lower a fused graph of static shapes.

    Raises:
        BudgetError: arena and states do not fit `max_ram` bytes, however steps are cut.
        OptionError: there are several token counts, or a weight has a format without kernels here.
    """
    if len(graphs) != 1:
        raise OptionError(
            f"target {spec.name} takes one token count, not {len(graphs)} "
            f"({', '.join(map(str, counts))}); give one, such as --tokens 1"
        )
    (graph,) = graphs
    integers = any(n.domain == DOMAIN for n in graph.graph)
    decisions = list[Decision]()
    program_of = _program_of(spec, precision, tunings, options, decisions)
    alignment = facts_of(spec).alignment
    if options.max_ram is None:
        program = program_of(graph)
        variant = program.finish(None, alignment)
    elif isinstance(options.strips, Strips):
        program = program_of(graph)
        tiled = options.strips.keep(program)
        variant = tiled.variant
        decisions.append(options.strips.decision(program, tiled))
    else:
        found = patches.within_patches(graph, program_of, *_limit(spec, options), alignment)
        program, variant = found.program, found.tiled.variant
        decisions.append(found.decision(program, found.tiled))
    if not integers:
        _check_formats(program.weights, spec)
    return Lowered(
        (variant,), program.kernels, program.weights, tunings, tuple(decisions), options.objects
    )


def divide(
    spec: TargetSpec, graph: ir.Model, precision: Precision, options: TargetOptions
) -> Strips | None:
    """The strips that `max_ram` asks for in an integer graph, if it does.

    Raises:
        BudgetError: arena and states do not fit, however steps are cut.
    """
    if options.max_ram is None:
        return None
    program_of = _program_of(spec, precision, UNTUNED, options, [])
    keep, room = _limit(spec, options)
    found = patches.within_patches(graph, program_of, keep, room, facts_of(spec).alignment)
    if found.candidate is None:
        return None
    return Strips(graph, found.candidate, found, program_of, keep)


def _program_of(
    spec: TargetSpec, precision: Precision, tunings: Tunings, options: TargetOptions,
    decisions: list[Decision],
) -> Callable[[ir.Model], Program]:  # fmt: skip
    """What lowers a graph, which it changes; `decisions` are those of the last one."""
    from edgemoe.targets.lowering import lower as lower_program

    def program_of(model: ir.Model) -> Program:
        read_in_place(model.graph)
        group_experts(model.graph)
        made = Program(KernelTable(), WeightTable(), precision, tunings, core=spec.isas[0].dot)
        lower_program(model, made)
        if options.expert_slots is None:
            return made
        made, said = slots.with_slots(
            made, options.expert_slots, facts_of(spec).alignment, spec.name
        )
        decisions[:] = said
        return made

    return program_of


def _limit(spec: TargetSpec, options: TargetOptions) -> tuple[Callable[[Program], Tiled], int]:
    """What cuts a program by rows until it keeps `max_ram`, and the bytes of its arena."""
    assert options.max_ram is not None
    most, fixed = options.max_ram, sum(nbytes_of(x) for x in options.states)

    def keep(program: Program) -> Tiled:
        return within(program, most, fixed, facts_of(spec).alignment, options.title, spec.name)

    return keep, most - fixed


def _check_formats(weights: WeightTable, spec: TargetSpec) -> None:
    """Refuse weights of formats that float kernels do not read as plain C."""
    for section in weights.sections:
        if section.role == "constant" or section.format in FORMATS:
            continue
        name, *options = section.format.split(".")
        if "a32" in options and name != "i3":
            continue
        raise OptionError(
            f"weight {section.name} is stored as {section.format}; the float kernels for "
            f"{spec.name} read f32, bf16, and codes of 8, 4 or 2 bits that meet floats\n"
            "  try: --precision f32 or bf16, i8.a32 or i4.a32; or i8 or i4 with --calibration"
        )


def static_infos(infos: Sequence[TensorInfo], count: int | None) -> tuple[TensorInfo, ...]:
    """Inputs or outputs with the token count in the place of -1."""
    return tuple(
        replace(
            info, token_axis=None,
            shape=tuple((count or 1) if extent < 0 else extent for extent in info.shape),
        )
        for info in infos
    )  # fmt: skip


def write(
    spec: TargetSpec, lowered: Lowered, plan: Plan, out: Path, contents: Contents,
    show: Callable[[str, int], None],
) -> Artifact:  # fmt: skip
    """Generate the kernels, as C or objects by LLVM, and write the artifact."""
    (isa,) = spec.isas
    prefix = identifier(plan.name)
    show(f"kernels for {isa.name}", 0)
    named = replace(isa, prefix=prefix)
    built = {name: kernel.build(name, named) for kernel, name in lowered.kernels.names.items()}
    kernels = c_kernels(built, prefix)
    show("C files", 1)
    return write_mcu_artifact(
        out, spec, plan, lowered.weights.data(), kernels, contents,
        make_objects=(lambda folder: write_objects(built, prefix, spec, folder))
        if lowered.objects else None,
    )  # fmt: skip
