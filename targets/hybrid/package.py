"""Writes a hybrid artifact: kernels of the GPU as source, those of the CPU as a library."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgemoe.artifact import (
    Artifact,
    ManifestExtras,
    SelfTest,
    WeightWriter,
    staging,
    write_manifest,
    write_plan,
    write_selftests,
)
from edgemoe.plan import Plan
from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.cpuinfo import needed_by
from edgemoe.targets.gpu.codegen import source_of
from edgemoe.targets.gpu.package import KERNELS, SUFFIX, needs_of, refuse_excess
from edgemoe.targets.host_c import run_compiler
from edgemoe.targets.program import KernelTable
from edgemoe.targets.spec import TargetSpec

LIBRARY = "kernels.so"


def write_hybrid_artifact(
    out: Path,
    spec: TargetSpec,
    plan: Plan,
    weights: Iterable[NDArray[Any] | bytes],
    kernels: KernelTable,
    *,
    selftests: Sequence[SelfTest] = (),
    extras: ManifestExtras | None = None,
    report: Mapping[str, Any] | None = None,
    measure: Callable[[Path], Mapping[str, Any]] | None = None,
) -> Artifact:
    """Write the artifact to `out`, or nothing at all; the arguments are as for other families.

    Raises:
        ArtifactError: `out` is something else, or cannot be written.
        ToolError: the C compiler is missing or failed.
        TargetError: a kernel needs more than the GPU has.
    """
    assert spec.gpu is not None
    gpu, (isa,) = spec.gpu, spec.isas
    read_only = {kernel.name: kernel.read_only for kernel in plan.kernels}
    on_gpu = {kernel.name for kernel in plan.kernels if kernel.threads}
    with staging(out, zipped=out.suffix == ".zip") as folder:
        with WeightWriter(folder / "weights.bin") as writer:
            for section, data in zip(plan.weights, weights, strict=True):
                writer.write(section, data)
            build_id = writer.finish(plan)
        (folder / KERNELS).mkdir()
        sources, built = {}, {}
        for kernel, name in kernels.names.items():
            if name in on_gpu:
                text = source_of(name, kernel.function(gpu), gpu, read_only[name])  # type: ignore[attr-defined]
                sources[name] = text
                (folder / KERNELS / f"{name}.{SUFFIX[gpu.language]}").write_text(text, "utf-8")
            elif hasattr(kernel, "build"):
                built[name] = kernel.build(name, isa)
        with tempfile.TemporaryDirectory(prefix="edgemoe-") as scratch:
            objects = compile_kernels(built, isa, Path(scratch))
            names = [item.name for item in objects]
            command = [*spec.compiler, "-shared", "-o", LIBRARY, *names, "-Wl,-z,defs", "-lm"]
            run_compiler(command, Path(scratch))
            shutil.copyfile(Path(scratch) / LIBRARY, folder / LIBRARY)
        write_plan(folder, plan)
        write_selftests(folder, selftests)
        (folder / "report.json").write_text(json.dumps(report or {}, indent=1) + "\n", "utf-8")
        needs = needs_of(plan, gpu, sources)
        refuse_excess(plan.target, needs, gpu)
        entries = {
            "family": "hybrid", "gpu_family": spec.parts[1].family, "library": LIBRARY,
            "gpu": needs, "cpu_flags": sorted(needed_by(isa)),
        }  # fmt: skip
        extras = replace(extras or ManifestExtras(), entries=entries)
        write_manifest(folder, plan, build_id, extras)
        if measure is not None:
            accuracy = measure(folder)
            write_manifest(folder, plan, build_id, replace(extras, accuracy=accuracy))
    return Artifact.open(out)
