"""The hybrid family: a CPU and a GPU in one artifact, each operation where it is faster."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx_ir as ir

from edgemoe.artifact import Artifact
from edgemoe.artifact_writer import Contents
from edgemoe.errors import TargetError
from edgemoe.plan import Decision, Kernel, Plan, TensorInfo, Variant, WeightSection
from edgemoe.precision import Precision
from edgemoe.target_options import NO_OPTIONS, TargetOptions
from edgemoe.targets import cpu, gpu, middle
from edgemoe.targets.cpu import Lowered, default_tokens, generic_steps, static_infos, versions
from edgemoe.targets.gpu.caches import refuse_narrow
from edgemoe.targets.gpu.program import GpuProgram
from edgemoe.targets.hybrid.joint_program import Device, Joint, Tables, join
from edgemoe.targets.hybrid.measurement import Measured, infos_of, measure
from edgemoe.targets.hybrid.package import write_hybrid_artifact
from edgemoe.targets.hybrid.placement import DEVICES, Placement, place
from edgemoe.targets.kernel_table import KernelTable
from edgemoe.targets.lowering import straight_list
from edgemoe.targets.program import Program
from edgemoe.targets.spec import TargetSpec
from edgemoe.targets.tuning.tunings import UNTUNED, Tunings
from edgemoe.targets.weight_table import WeightTable

__all__ = [
    "default_tokens", "generic_steps", "in_place_states", "lower", "runs_here", "static_infos",
    "versions", "with_isas", "write",
]  # fmt: skip

PRECISIONS: tuple[str, ...] = ()
"""Weight formats that programs may have; empty: all there are."""


def with_isas(spec: TargetSpec, cpu_name: str) -> TargetSpec:
    """Keep one instruction set, this machine's best unless `--cpu` names another."""
    first, second = spec.parts
    kept = cpu.with_isas(first, "native" if cpu_name == "all" else cpu_name)
    return replace(spec, isas=kept.isas, parts=(kept, second))


def runs_here(spec: TargetSpec) -> bool:
    """Tell whether this machine has both devices."""
    first, second = spec.parts
    return cpu.runs_here(first) and gpu.runs_here(second)


@dataclass(frozen=True)
class HybridLowered(Lowered):
    """All variants, with the weights of both devices one behind the other."""

    host_weights: int = 0


class _Both(WeightTable):
    """The sections of two tables: the CPU's, then the GPU's."""

    def __init__(self, first: WeightTable, second: WeightTable) -> None:
        start = -(-first.nbytes // second.alignment) * second.alignment
        gap = start - first.nbytes
        moved = [replace(s, offset=s.offset + start) for s in second.sections]
        filler = [WeightSection("gap", first.nbytes, gap, "constant", None, "uint8")] if gap else []
        super().__init__(sections=[*first.sections, *filler, *moved], nbytes=start + second.nbytes)
        self.start, self._first, self._second, self._gap = start, first, second, gap

    def data(self) -> Iterator[Any]:
        """The contents of the sections, in their order."""
        import numpy as np

        yield from self._first.data()
        if self._gap:
            yield np.zeros(self._gap, np.uint8)
        yield from self._second.data()


def lower(
    spec: TargetSpec, graphs: Sequence[ir.Model], counts: Sequence[int | None],
    precision: Precision, tunings: Tunings = UNTUNED, options: TargetOptions = NO_OPTIONS,
) -> Lowered:  # fmt: skip
    """Lower fused graphs of static shapes; every operation goes where it was measured to be faster.

    Raises:
        OptionError: an option is for other families.
        TargetError: this machine lacks one of the devices, so that nothing can be measured.
    """
    options.refuse_for_microcontrollers(spec.name)
    refuse_narrow(options.states, spec.name)
    if not runs_here(spec):
        raise TargetError(
            f"target {spec.name} is placed by measuring both devices, and this machine lacks one "
            "of them\n  next: compile on the machine that will run it (edgemoe targets --devices)"
        )
    tables, joints, decisions = new_tables(spec), list[Joint](), list[Decision]()
    for graph, count in zip(graphs, counts, strict=True):
        straight = straight_list(graph, [Program.source, GpuProgram.source])
        build = _Builder(spec, graph, straight, precision, tunings, options.states, options.title)
        found = build.placement()
        joint = build.joint(found.places, tables, count)
        joints.append(joint)
        decisions += _decisions(joint, straight, found, build.measured, spec, count)
    weights = _Both(tables.cpu_weights, tables.gpu_weights)
    variants = tuple(_with_start(joint.variant, weights.start) for joint in joints)
    blocks, products = Counter[str](), Counter[str]()
    for joint in joints:
        blocks += joint.blocks
        products += joint.products
    decisions += gpu.decisions_of(gpu.facts_of(spec), variants, blocks, products)
    return HybridLowered(
        variants,
        tables.kernels,
        weights,
        tunings,
        tuple(decisions),
        host_weights=tables.cpu_weights.nbytes,
    )


def new_tables(spec: TargetSpec) -> Tables:
    """Empty tables for a CPU and a GPU."""
    return Tables(WeightTable(alignment=gpu.facts_of(spec).alignment))


def _with_start(variant: Variant, start: int) -> Variant:
    """Weights of the GPU lie behind those of the CPU."""
    buffers = tuple(
        replace(b, offset=b.offset + start) if b.where == "weights" else b for b in variant.buffers
    )
    return replace(variant, buffers=buffers)


class _Builder:
    """One variant: its programs on one device for measuring, and the one that is kept."""

    def __init__(
        self, spec: TargetSpec, graph: ir.Model, straight: middle.StraightList,
        precision: Precision, tunings: Tunings, states: Sequence[TensorInfo], title: str,
    ) -> None:  # fmt: skip
        self.spec, self.graph, self.straight, self.title = spec, graph, straight, title
        self.precision, self.tunings, self.states = precision, tunings, states
        self.measured: dict[Device, Measured] = {}

    def joint(self, places: Sequence[Device], tables: Tables, count: int | None) -> Joint:
        """The program with operations in `places`."""
        assert self.spec.gpu is not None
        return join(
            self.graph, self.straight, places, tables, self.precision, self.tunings,
            self.spec.gpu, count,
        )  # fmt: skip

    def placement(self) -> Placement:
        """Measure all operations on either device and choose."""
        fixed, count = self._fixed(), len(self.straight.operations)
        for device in DEVICES:
            self.measured[device] = self._measure([fixed.get(i, device) for i in range(count)])
        return place(
            self.straight, {d: m.seconds for d, m in self.measured.items()}, fixed,
            self.measured["gpu"].link, self.measured["gpu"].together,
        )  # fmt: skip

    def _fixed(self) -> dict[int, Device]:
        """Operations on states: those stay on the GPU, where sessions keep them."""
        names = {x.name for x in self.states}
        outputs = {x.state_output for x in self.states}
        touched = {
            n for n, v in enumerate(self.straight.values)
            if v.graph_input is not None
            and str(self.graph.graph.inputs[v.graph_input].name) in names
        }  # fmt: skip
        touched |= {
            number
            for number, value in zip(self.straight.outputs, self.graph.graph.outputs, strict=True)
            if str(value.name) in outputs
        }
        views = [o for o in self.straight.operations if isinstance(o, middle.View)]
        for _ in views:
            touched |= {v.output for v in views if v.input in touched}
            touched |= {v.input for v in views if v.output in touched}
        return {
            i: "gpu" for i, o in enumerate(self.straight.operations)
            if not isinstance(o, middle.View) and touched & {*o.inputs, *o.outputs}
        }  # fmt: skip

    def _measure(self, places: Sequence[Device]) -> Measured:
        tables = new_tables(self.spec)
        joint = self.joint(places, tables, None)
        weights = _Both(tables.cpu_weights, tables.gpu_weights)
        variant = _with_start(joint.variant, weights.start)
        inputs, outputs = infos_of(self.graph.graph, self.states)
        lowered = HybridLowered((variant,), tables.kernels, weights, self.tunings)
        plan = Plan(
            name=self.title or "model", target=self.spec.name, isas=(self.spec.isas[0].name,),
            inputs=tuple(inputs), outputs=tuple(outputs), variants=(variant,),
            kernels=tables.kernels.kernels(), weights=tuple(weights.sections),
            weights_bytes=weights.nbytes,
            facts={"in_place_states": in_place_states(lowered, inputs, outputs)},
        )  # fmt: skip
        plan = with_host_facts(plan, self.spec, tables.kernels, tables.cpu_weights.nbytes)
        with tempfile.TemporaryDirectory(prefix="edgemoe-") as folder:
            return measure(
                plan, joint, len(self.straight.operations),
                lambda out: write_hybrid_artifact(
                    out, self.spec, plan, weights.data(), tables.kernels
                ),
                Path(folder) / "trial.em",
            )  # fmt: skip


def _decisions(
    joint: Joint, straight: middle.StraightList, found: Placement,
    measured: Mapping[Device, Measured], spec: TargetSpec, count: int | None,
) -> list[Decision]:  # fmt: skip
    """What runs where and why: one decision for each run of operations on one device."""
    names = {"cpu": spec.parts[0].name, "gpu": spec.parts[1].name}
    variant, labels = joint.variant, dict[int, list[str]]()
    macs, nbytes = [0] * len(straight.operations), [0] * len(straight.operations)
    for step, owners in zip(variant.steps, joint.owners, strict=True):
        for owner in owners:
            labels.setdefault(owner, []).append(step.label)
        if owners:
            macs[owners[-1]] += step.macs
            nbytes[owners[-1]] += step.nbytes
    subject = "placement" if count is None else f"placement, {count} tokens"
    alone = ", ".join(f"{names[d]} {found.alone[d] * 1e6:,.0f} us" for d in DEVICES)
    decisions = [
        Decision(
            subject, f"{found.seconds * 1e6:,.0f} us expected",
            f"all on one device: {alone}; {joint.transferred:,} B cross in a run",
        )
    ]  # fmt: skip
    begun = 0
    for end in range(1, len(found.places) + 1):
        if end < len(found.places) and found.places[end] == found.places[begun]:
            continue
        inside = [i for i in range(begun, end) if i in labels]
        if inside:
            intensity = sum(macs[i] for i in inside) / max(1, sum(nbytes[i] for i in inside))
            spent = ", ".join(
                f"{names[d]} {sum(measured[d].seconds[i] for i in inside) * 1e6:,.0f} us"
                for d in DEVICES
            )
            heavy = max(inside, key=lambda i: macs[i] + nbytes[i])
            decisions.append(
                Decision(
                    f"{len(inside)} operations, {labels[heavy][0]}",
                    names[found.places[begun]],
                    f"{intensity:.2f} MAC per byte; measured: {spent}",
                )
            )
        begun = end
    return decisions


def in_place_states(
    lowered: Lowered, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
) -> list[str]:
    """States whose input nobody reads once their output has been begun, in any variant."""
    return cpu.in_place_states(lowered, inputs, outputs)


def with_host_facts(plan: Plan, spec: TargetSpec, kernels: KernelTable, host_weights: int) -> Plan:
    """The plan with what a session needs to know of the CPU's side."""
    (isa,) = spec.isas
    known: dict[str, Kernel] = {kernel.name: kernel for kernel in plan.kernels}
    symbols = {
        name: isa.symbol_of(name, known[name].uses)
        for kernel, name in kernels.names.items()
        if hasattr(kernel, "build")
    }
    transfers = tuple(Kernel(name, ("void*", "void*"), name) for name in ("upload", "download"))
    facts = {**plan.facts, "host_symbols": symbols, "host_weights_bytes": host_weights}
    kept = tuple(k for k in plan.kernels if k.template not in ("send", "receive"))
    return replace(plan, kernels=(*kept, *transfers), facts=facts)


def write(
    spec: TargetSpec, lowered: Lowered, plan: Plan, out: Path, contents: Contents,
    show: Callable[[str, int], None],
) -> Artifact:  # fmt: skip
    """Generate the kernels of both devices and write the artifact."""
    assert isinstance(lowered, HybridLowered)
    show("kernels of both devices", 0)
    plan = with_host_facts(plan, spec, lowered.kernels, lowered.host_weights)
    return write_hybrid_artifact(out, spec, plan, lowered.weights.data(), lowered.kernels, contents)
