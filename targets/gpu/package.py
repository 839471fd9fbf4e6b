"""Writes a GPU artifact: a source file per kernel, weights, plan, host program, manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgemoe.artifact import Artifact
from edgemoe.artifact_writer import Contents, Weights, write_artifact
from edgemoe.errors import TargetError
from edgemoe.plan import Plan
from edgemoe.targets.gpu.host_c import write_opencl_host
from edgemoe.targets.gpu.web import write_web
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.spec import TargetSpec

KERNELS = "kernels"
"""Folder of the sources."""

SUFFIX = {"opencl": "cl", "wgsl": "wgsl"}


def write_gpu_artifact(
    out: Path, spec: TargetSpec, plan: Plan, weights: Weights, sources: Mapping[str, str],
    contents: Contents,
) -> Artifact:  # fmt: skip
    """Write the artifact to `out`, or nothing at all.

    Args:
        out: folder to write, or a name that ends in .zip.
        spec: the target.
        plan: the plan; every argument of a step is a whole buffer.
        weights: the bytes of `plan.weights`.
        sources: the source text of every kernel of the plan.
        contents: what else there is.

    Raises:
        ArtifactError: `out` is something else, or cannot be written.
    """
    gpu = spec.gpu
    assert gpu is not None
    needs = needs_of(plan, gpu, sources)

    def add(folder: Path, build_id: bytes) -> Mapping[str, Any]:
        write_sources(folder, gpu.language, sources)
        if gpu.language == "opencl":
            write_opencl_host(plan, folder, needs, build_id, contents.first_inputs)
        else:
            write_web(plan, folder)
        return {
            "family": spec.family, "machine": gpu.language, "library": "plan.json", "gpu": needs
        }  # fmt: skip

    return write_artifact(out, plan, contents, add, weights=weights)


def write_sources(folder: Path, language: str, sources: Mapping[str, str]) -> None:
    """Write a file per kernel."""
    (folder / KERNELS).mkdir()
    for name, text in sources.items():
        (folder / KERNELS / f"{name}.{SUFFIX[language]}").write_text(text, "utf-8")


def needs_of(plan: Plan, device: Graphics, sources: Mapping[str, str]) -> dict[str, Any]:
    """What a device must offer to run the kernels."""
    kernels = [kernel for kernel in plan.kernels if kernel.threads]
    bound = [
        buffer.nbytes
        for variant in plan.variants
        for buffer in variant.buffers
        if not buffer.where.startswith("host")
    ]
    return {
        "language": device.language,
        "fp16": any(_has_halves(text) for text in sources.values()),
        "subgroups": any("subgroup" in text for text in sources.values()),
        "integer_dot": any("dot4I8Packed" in text for text in sources.values()),
        "threads": max((kernel.threads for kernel in kernels), default=1),
        "local_bytes": max((local_bytes(text) for text in sources.values()), default=0),
        "storage_buffers": max((len(kernel.parameters) for kernel in kernels), default=0),
        "alignment": device.alignment,
        "binding_bytes": max(bound, default=0),
    }


def refuse_excess(target: str, needs: Mapping[str, Any], device: Graphics) -> None:
    """Raise TargetError where kernels need more than the target file says there is."""
    for name in ("threads", "local_bytes", "storage_buffers", "binding_bytes"):
        limit = getattr(device, name)
        if needs[name] > limit:
            raise TargetError(
                f"target {target} has {name} = {limit:,}, the kernels need {needs[name]:,}\n"
                "  next: compile for a target with more, or correct the table [gpu] of its file"
            )


def _has_halves(text: str) -> bool:
    return "enable f16;" in text or "cl_khr_fp16" in text


_LOCAL = re.compile(
    r"__local (?P<c>\w+) \w+\[(?P<n>\d+)\]|var<workgroup> \w+ ?: ?array<(?P<w>\w+), ?(?P<m>\d+)>"
)
_SIZES = {"float": 4, "int": 4, "uint": 4, "half": 2, "f32": 4, "i32": 4, "u32": 4, "f16": 2}


def local_bytes(text: str) -> int:
    """Local memory of a work-group of a kernel."""
    total = 0
    for match in _LOCAL.finditer(text):
        kind, count = (match["c"], match["n"]) if match["c"] else (match["w"], match["m"])
        total += _SIZES[kind] * int(count)
    return total
