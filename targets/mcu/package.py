"""Writes a microcontroller artifact: C files at the top of a folder, plan, self-test, manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgemoe.artifact import Artifact, SelfTest
from edgemoe.artifact_writer import EMPTY, Contents, Weights, write_artifact
from edgemoe.plan import Plan
from edgemoe.runtime.selftest import read_cases
from edgemoe.targets.mcu.arrays import arrays_of
from edgemoe.targets.mcu.build_files import build_files, device_sources, sources
from edgemoe.targets.mcu.c_kernels import CORE, CKernels, core_header
from edgemoe.targets.mcu.data_c import selftest, write_weights
from edgemoe.targets.mcu.header import header, internal, nbytes_of
from edgemoe.targets.mcu.memory_report import memory_report
from edgemoe.targets.mcu.model import Model
from edgemoe.targets.mcu.names import names_of
from edgemoe.targets.mcu.program_c import program
from edgemoe.targets.spec import TargetSpec

OBJECTS = "objects"
"""Folder of object files in an artifact."""


def write_mcu_artifact(
    out: Path, spec: TargetSpec, plan: Plan, weights: Weights, kernels: CKernels,
    contents: Contents = EMPTY, *,
    make_objects: Callable[[Path], Sequence[str]] | None = None,
) -> Artifact:  # fmt: skip
    """Write the artifact to `out`, or nothing at all.

    Args:
        out: folder to write, or a name that ends in .zip.
        spec: the target.
        plan: the plan, of one variant with static shapes.
        weights: the bytes of `plan.weights`.
        kernels: the generated C of all kernels of the plan.
        contents: what else there is; the first self-test also goes into `NAME_selftest.c`.
        make_objects: writes kernels as object files to a folder and returns their names; the device
            then takes these, the C source stays for checks on a PC.

    Raises:
        ArtifactError: `out` is something else, or cannot be written.
    """
    assert spec.mcu is not None
    names = names_of(plan)
    model = Model(plan, names, arrays_of(plan), kernels.functions, spec.mcu.alignment)

    def add(folder: Path, build_id: bytes) -> Mapping[str, Any]:
        del build_id  # weights and program are compiled together
        whole = model
        if make_objects is not None:
            (folder / OBJECTS).mkdir()
            made = tuple(f"{OBJECTS}/{name}" for name in make_objects(folder / OBJECTS))
            whole = replace(model, objects=made)
        _write_sources(folder, whole, spec, weights, kernels)
        write_test(folder)
        memory = memory_report(folder, whole, spec.compiler)
        return {**manifest_entries(whole, spec), "memory": memory}

    def write_test(folder: Path) -> None:
        cases = read_cases(folder)  # measuring may have changed what is expected
        first = SelfTest(cases[0].inputs, cases[0].outputs, cases[0].tolerance) if cases else None
        _write(folder, f"{names.prefix}_selftest.c", selftest(model, first))

    return write_artifact(out, plan, contents, add, weights=None, measured=write_test)


def _write_sources(
    folder: Path, model: Model, spec: TargetSpec, weights: Weights,
    kernels: CKernels,
) -> None:  # fmt: skip
    prefix = model.names.prefix
    _write(folder, f"{prefix}.h", header(model))
    _write(folder, f"{prefix}_internal.h", internal(model, kernels.prototypes()))
    _write(folder, f"{prefix}.c", program(model))
    _write(folder, f"{prefix}_kernels.c", kernels.text(f"{prefix}_internal.h"))
    _write(folder, CORE, core_header())
    with (folder / f"{prefix}_weights.c").open("w", encoding="utf-8") as file:
        write_weights(model, weights, file)
    for name, text in build_files(model, spec.compiler).items():
        _write(folder, name, text)


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def manifest_entries(model: Model, spec: TargetSpec) -> dict[str, Any]:
    """What the manifest of a microcontroller says beyond that of a CPU."""
    assert spec.mcu is not None
    prefix = model.names.prefix
    return {
        "family": "mcu",
        "machine": spec.architecture,
        "library": f"{prefix}.c",
        "mcu": {
            "prefix": prefix,
            "steps": len(model.variant.steps),
            "sources": sources(prefix),
            "device_sources": device_sources(model),
            "objects": list(model.objects),
            "compiler": list(spec.compiler),
            "arguments": {
                "inputs": [x.name for x in model.inputs],
                "outputs": [x.name for x in model.outputs],
            },
            "state_bytes": sum(
                nbytes_of(x) * (1 if model.in_place(x) else 2) for x in model.states
            ),
            **spec.mcu.to_dict(),
        },
    }
