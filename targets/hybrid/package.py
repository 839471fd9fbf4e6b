"""Writes a hybrid artifact: kernels of the GPU as source, those of the CPU as a library."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgemoe.artifact import Artifact
from edgemoe.artifact_writer import EMPTY, Contents, Weights, write_artifact
from edgemoe.plan import Plan
from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.cpuinfo import needed_by
from edgemoe.targets.gpu.codegen import source_of
from edgemoe.targets.gpu.host_c import Joint, write_opencl_host
from edgemoe.targets.gpu.package import needs_of, refuse_excess, write_sources
from edgemoe.targets.host_c import run_compiler
from edgemoe.targets.hybrid.joint_c import device_plan, joint_tables
from edgemoe.targets.kernel_table import KernelTable
from edgemoe.targets.spec import TargetSpec

LIBRARY = "kernels.so"


def write_hybrid_artifact(
    out: Path, spec: TargetSpec, plan: Plan, weights: Weights, kernels: KernelTable,
    contents: Contents = EMPTY,
) -> Artifact:  # fmt: skip
    """Write the artifact to `out`, or nothing at all; the arguments are as for other families.

    Raises:
        ArtifactError: `out` is something else, or cannot be written.
        ToolError: the C compiler is missing or failed.
        TargetError: a kernel needs more than the GPU has.
    """
    gpu, (isa,) = spec.gpu, spec.isas
    assert gpu is not None
    read_only = {kernel.name: kernel.read_only for kernel in plan.kernels}
    on_gpu = {kernel.name for kernel in plan.kernels if kernel.threads}
    sources, built = {}, {}
    for kernel, name in kernels.names.items():
        if name in on_gpu:
            sources[name] = source_of(name, kernel.function(gpu), gpu, read_only[name])  # type: ignore[attr-defined]
        elif hasattr(kernel, "build"):
            built[name] = kernel.build(name, isa)
    needs = needs_of(plan, gpu, sources)
    refuse_excess(plan.target, needs, gpu)

    def add(folder: Path, build_id: bytes) -> Mapping[str, Any]:
        if gpu.language == "opencl":
            joint = Joint(list(joint_tables(plan, isa.name)), LIBRARY)
            write_opencl_host(
                device_plan(plan), folder, needs, build_id, contents.first_inputs, joint
            )
        write_sources(folder, gpu.language, sources)
        with tempfile.TemporaryDirectory(prefix="edgemoe-") as scratch:
            objects = compile_kernels(built, isa, Path(scratch))
            names = [item.name for item in objects]
            command = [*spec.compiler, "-shared", "-o", LIBRARY, *names, "-Wl,-z,defs", "-lm"]
            run_compiler(command, Path(scratch))
            shutil.copyfile(Path(scratch) / LIBRARY, folder / LIBRARY)
        return {
            "family": "hybrid", "gpu_family": spec.parts[1].family, "library": LIBRARY,
            "gpu": needs, "cpu_flags": sorted(needed_by(isa)),
        }  # fmt: skip

    return write_artifact(out, plan, contents, add, weights=weights)
