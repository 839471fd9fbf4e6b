"""Writes a whole artifact: what every family of targets writes, around what one family adds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

Weights = Iterable[NDArray[Any] | bytes]
"""The bytes of `plan.weights`, in their order; may be a generator."""


@dataclass(frozen=True)
class Contents:
    """What an artifact holds beside plan, weights and kernels.

    Attributes:
        selftests: inputs with expected outputs; the first also feeds generated examples.
        extras: what the manifest says beyond the plan.
        report: goes to `report.json`.
        measure: runs the finished artifact and returns its accuracy figures for the manifest; an
            error that it raises leaves nothing behind.
    """

    selftests: Sequence[SelfTest] = ()
    extras: ManifestExtras = field(default_factory=ManifestExtras)
    report: Mapping[str, Any] = field(default_factory=dict)
    measure: Callable[[Path], Mapping[str, Any]] | None = None

    @property
    def first_inputs(self) -> Mapping[str, NDArray[Any]] | None:
        """The arrays for an example; None where there is no self-test."""
        return self.selftests[0].inputs if self.selftests else None


EMPTY = Contents()


def write_artifact(
    out: Path,
    plan: Plan,
    contents: Contents,
    add: Callable[[Path, bytes], Mapping[str, Any]],
    *,
    weights: Weights | None,
    measured: Callable[[Path], None] | None = None,
) -> Artifact:
    """Write an artifact to `out`, or nothing at all.

    Args:
        out: folder to write, or a name that ends in .zip.
        plan: goes to `plan.json`.
        contents: what else there is.
        add: writes kernels and host program to a folder, for the build id (16 bytes) that the
            weights carry; returns the entries of the family in the manifest.
        weights: go to `weights.bin`; None: `add` writes them, and the build id is zeros.
        measured: what is written again after `contents.measure`.

    Raises:
        ArtifactError: `out` is something else, or cannot be written.
    """
    with staging(out, zipped=out.suffix == ".zip") as folder:
        build_id = bytes(16)
        if weights is not None:
            with WeightWriter(folder / "weights.bin") as writer:
                for section, data in zip(plan.weights, weights, strict=True):
                    writer.write(section, data)
                build_id = writer.finish(plan)
        write_plan(folder, plan)
        write_selftests(folder, contents.selftests)
        (folder / "report.json").write_text(json.dumps(contents.report, indent=1) + "\n", "utf-8")
        extras = replace(contents.extras, entries=add(folder, build_id))
        write_manifest(folder, plan, build_id, extras)
        if contents.measure is not None:
            accuracy = contents.measure(folder)
            if measured is not None:
                measured(folder)
            write_manifest(folder, plan, build_id, replace(extras, accuracy=accuracy))
    return Artifact.open(out)
