"""Writes a CPU artifact: host program, example, library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgemoe.artifact import Artifact
from edgemoe.artifact_writer import EMPTY, Contents, Weights, write_artifact
from edgemoe.plan import Plan
from edgemoe.targets.host_c import build_library, write_host_program
from edgemoe.targets.host_example import write_example


def write_cpu_artifact(
    out: Path, plan: Plan, weights: Weights, objects: Sequence[Path], contents: Contents = EMPTY,
    *, compiler: Sequence[str] = ("cc",), link: Sequence[str] = (),
) -> Artifact:  # fmt: skip
    """Write the artifact to `out`, or nothing at all.

    Args:
        out: folder to write, or a name that ends in .zip.
        plan: the plan.
        weights: the bytes of `plan.weights`.
        objects: kernel objects with `<kernel>__<isa>` for every kernel and instruction set.
        contents: what else there is.
        compiler: the C compiler and its first options.
        link: more options for the linker.

    Raises:
        ArtifactError: `out` is something else, or cannot be written.
        ToolError: the C compiler is missing or failed.
    """

    def add(folder: Path, build_id: bytes) -> Mapping[str, Any]:
        write_host_program(plan, folder, build_id)
        write_example(plan, folder, contents.first_inputs)
        build_library(folder, objects, compiler=compiler, link=link)
        return {}

    return write_artifact(out, plan, contents, add, weights=weights)
