"""The CPU family: programs of all variants, kernels for every instruction set."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.program import KernelTable
from edgemoe.targets.spec import Isa


def compile_table(
    table: KernelTable, isas: Sequence[Isa], folder: Path, progress: Callable[[str], None]
) -> list[Path]:
    """Write the objects of all kernels for all instruction sets; returns their paths."""
    objects: list[Path] = []
    for isa in isas:
        progress(f"kernels for {isa.name}")
        built = {name: spec.build(name, isa) for spec, name in table.names.items()}
        objects += compile_kernels(built, isa, folder)
    return objects


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for objects; removed when the artifact is written."""
    return tempfile.TemporaryDirectory(prefix="edgemoe-")
