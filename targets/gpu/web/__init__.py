"""The web part of a WebGPU artifact: `model.js`, a module without dependencies, with its types."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from edgemoe.plan import Plan

MODULES = (
    "model.js", "model.d.ts", "model_arrays.js", "model_chunks.js", "model_clock.js",
    "model_device.js", "model_experts.js", "model_session.js", "model_text.js",
)  # fmt: skip


def write_web(plan: Plan, folder: Path) -> Path:
    """Write the JavaScript modules of an artifact; returns the path of `model.js`.

    They are the same for every model: everything else is read from manifest and plan.

    Args:
        plan: what the modules will run.
        folder: the artifact's folder.
    """
    if any(variant.loops for variant in plan.variants):
        raise ValueError(f"plan '{plan.name}' has loops, which the module does not know")
    for name in MODULES:
        with resources.as_file(resources.files(__package__).joinpath(name)) as source:
            shutil.copyfile(source, folder / name)
    return folder / "model.js"
