"""Writes a whole CPU artifact: weights, plan, host program, library, self-test, manifest."""

from __future__ import annotations

import json
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
from edgemoe.targets.host_c import build_library, write_host_program
from edgemoe.targets.host_example import write_example


def write_cpu_artifact(
    out: Path,
    plan: Plan,
    weights: Iterable[NDArray[Any] | bytes],
    objects: Sequence[Path],
    *,
    compiler: Sequence[str] = ("cc",),
    link: Sequence[str] = (),
    selftests: Sequence[SelfTest] = (),
    extras: ManifestExtras | None = None,
    report: Mapping[str, Any] | None = None,
    zipped: bool = False,
    measure: Callable[[Path], Mapping[str, Any]] | None = None,
) -> Artifact:
    """Write the artifact to `out`, or nothing at all.

    Args:
        out: folder to write; with `zipped` (or a name that ends in .zip) the archive.
        plan: the plan.
        weights: the bytes of `plan.weights`, in their order; may be a generator.
        objects: kernel objects with `<kernel>__<isa>` for every kernel and instruction set.
        compiler: the C compiler and its first options.
        link: more options for the linker.
        selftests: inputs with expected outputs; the first also feeds `src/example.c`.
        extras: what the manifest says beyond the plan.
        report: goes to `report.json`.
        zipped: pack the folder into one file.
        measure: runs the finished artifact and returns its accuracy figures for the manifest; an
            error that it raises leaves nothing behind.

    Raises:
        ArtifactError: `out` is something else, or cannot be written.
        ToolError: the C compiler is missing or failed.
    """
    zipped = zipped or out.suffix == ".zip"
    if zipped and out.suffix != ".zip":
        out = out.with_name(out.name + ".zip")
    with staging(out, zipped=zipped) as folder:
        with WeightWriter(folder / "weights.bin") as writer:
            for section, data in zip(plan.weights, weights, strict=True):
                writer.write(section, data)
            build_id = writer.finish(plan)
        write_plan(folder, plan)
        write_selftests(folder, selftests)
        (folder / "report.json").write_text(json.dumps(report or {}, indent=1) + "\n", "utf-8")
        write_host_program(plan, folder, build_id)
        write_example(plan, folder, selftests[0].inputs if selftests else None)
        build_library(folder, objects, compiler=compiler, link=link)
        extras = extras or ManifestExtras()
        write_manifest(folder, plan, build_id, extras)
        if measure is not None:
            accuracy = measure(folder)
            write_manifest(folder, plan, build_id, replace(extras, accuracy=accuracy))
    return Artifact.open(out)
