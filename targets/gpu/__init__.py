"""The GPU families, OpenCL and WebGPU: one set of schedules, two languages, no host in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx_ir as ir

from edgemoe.artifact import Artifact
from edgemoe.artifact_writer import Contents
from edgemoe.errors import OptionError, TargetError
from edgemoe.plan import Decision, Plan, Variant
from edgemoe.precision import Precision
from edgemoe.target_options import NO_OPTIONS, TargetOptions
from edgemoe.targets.cpu import Lowered, generic_steps, in_place_states, static_infos, versions
from edgemoe.targets.gpu.caches import caches_of, refuse_narrow
from edgemoe.targets.gpu.codegen import source_of
from edgemoe.targets.gpu.half_activations import decision
from edgemoe.targets.gpu.halves import HALF
from edgemoe.targets.gpu.package import write_gpu_artifact
from edgemoe.targets.gpu.program import GpuKernels, GpuProgram
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.spec import TargetSpec
from edgemoe.targets.tuning.tunings import UNTUNED, Tunings
from edgemoe.targets.weight_table import WeightTable

__all__ = [
    "default_tokens", "generic_steps", "in_place_states", "lower", "runs_here", "static_infos",
    "versions", "with_isas", "write",
]  # fmt: skip

PRECISIONS: tuple[str, ...] = ()
"""Weight formats that programs may have; empty: all there are."""


def facts_of(spec: TargetSpec) -> Graphics:
    """The table `[gpu]` of a target; raises TargetError where it has none."""
    if spec.gpu is None:
        raise TargetError(f"target {spec.name} is of family {spec.family}, but has no table [gpu]")
    return spec.gpu


def with_isas(spec: TargetSpec, cpu: str) -> TargetSpec:
    """A GPU's driver knows its instructions; `--cpu` may only name the language."""
    facts_of(spec)
    if cpu not in ("all", spec.isas[0].name):
        raise OptionError(f"--cpu {cpu}: target {spec.name} has all, {spec.isas[0].name}")
    return spec


def runs_here(spec: TargetSpec) -> bool:
    """Tell whether this machine has a device for the language of `spec`, with what it may use."""
    from edgemoe.runtime.gpu_devices import has_device

    device = facts_of(spec)
    return has_device(
        spec.family, threads=device.threads, local_bytes=device.local_bytes, fp16=device.fp16
    )


def default_tokens() -> Sequence[int] | None:
    """Token counts where the user gives none: the usual ones."""
    return None


def lower(
    spec: TargetSpec, graphs: Sequence[ir.Model], counts: Sequence[int | None],
    precision: Precision, tunings: Tunings = UNTUNED, options: TargetOptions = NO_OPTIONS,
) -> Lowered:  # fmt: skip
    """Lower fused graphs of static shapes for `spec`; equal weights and kernels are shared.

    Raises:
        OptionError: an option is for other families, or a narrow cache has rows of odd sizes.
        UnsupportedOpError: a tensor has a dtype, or a size, that the device does not take.
    """
    from edgemoe.targets.gpu import fuse_blocks  # kernels import this package
    from edgemoe.targets.lowering import lower as lower_program

    options.refuse_for_microcontrollers(spec.name)
    refuse_narrow(options.states, spec.name)
    kernels, weights = GpuKernels(), WeightTable(alignment=facts_of(spec).alignment)
    variants, products, blocks = [], Counter[str](), Counter[str]()
    for graph, count in zip(graphs, counts, strict=True):
        program = GpuProgram(
            kernels, weights, precision, tunings, device=facts_of(spec), caches=caches_of(graph)
        )
        lower_program(graph, program)
        blocks += fuse_blocks.fuse(program).outcome
        variants.append(program.finish(count, facts_of(spec).alignment))
        products += program.products
    decisions = decisions_of(facts_of(spec), variants, blocks, products)
    return Lowered(tuple(variants), kernels, weights, tunings, decisions)


def decisions_of(
    device: Graphics, variants: Sequence[Variant], blocks: Counter[str], products: Counter[str]
) -> tuple[Decision, ...]:
    """What the plan says of a GPU's steps: halves between them, mixer blocks, products of int8.

    Args:
        device: of the target.
        variants: with all of their buffers.
        blocks: the outcomes of `fuse_blocks.fuse`.
        products: those of programs, see `GpuProgram.products`.
    """
    from edgemoe.targets.gpu import fuse_blocks  # kernels import this package

    decisions = [decision(variants)] if device.activations == HALF else []
    if blocks:
        decisions.append(fuse_blocks.decision(blocks))
    if products:
        decisions.append(_int8_products(products))
    return tuple(decisions)


def _int8_products(products: Counter[str]) -> Decision:
    """How many products of formats with int8 activations multiply integers, and why not others."""
    whole = products[""]
    others = "; ".join(f"{n} of floats: {why}" for why, n in products.most_common() if why)
    return Decision(
        "int8 products", f"{whole} of {products.total()}",
        "rows are rounded to int8 on the device, sums are int32" * bool(whole)
        + ("; " if whole and others else "") + others,
    )  # fmt: skip


def write(
    spec: TargetSpec, lowered: Lowered, plan: Plan, out: Path, contents: Contents,
    show: Callable[[str, int], None],
) -> Artifact:  # fmt: skip
    """Generate the source of every kernel and write the artifact."""
    device = facts_of(spec)
    show(f"kernels in {device.language}", 0)
    read_only = {kernel.name: kernel.read_only for kernel in plan.kernels}
    sources = {
        name: source_of(name, kernel.function(device), device, read_only[name])  # type: ignore[attr-defined]
        for kernel, name in lowered.kernels.names.items()
    }
    show("files", 1)
    return write_gpu_artifact(out, spec, plan, lowered.weights.data(), sources, contents)
