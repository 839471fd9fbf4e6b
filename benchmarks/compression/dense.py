"""A dense model of about as many bytes as what compression leaves: trained, or kept from before."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from benchmarks.compression.progress import say
from benchmarks.record import KITS
from edgemoe import models
from edgemoe.compression.task import Task
from edgemoe.compression.trained_controls import TrainedControl, trained_controls
from edgemoe.models import dense_controls

RECIPES = {
    "etth1": ("etth1", "ridge linear"), "co2": ("co2", "ridge linear"),
    "digits": ("digits", "mixer of half the width"),
    "char_moe": ("char", "dense decoder, 80 wide"),
    "char_blockffn": ("char", "dense decoder, 80 wide"),
    "domain_moe.text": ("domain_text", "dense decoder of one domain, 56 wide"),
    "domain_moe.series": ("domain_series", "dense decoder of one domain, 40 wide"),
}  # fmt: skip
"""The factory in `edgemoe.models.dense_controls` of each model that ships, and what it makes."""


def equally_small(name: str, data: Path | None, task: Task) -> list[TrainedControl]:
    """The dense control of a model, float32 as it was trained."""
    factory, what = RECIPES[name]
    return trained_controls({f"equally small: {what}": trained(factory, data)}, task)


def trained(factory: str, data: Path | None, folder: Path = KITS) -> Any:
    """Module and inputs; trained once as long as no training script changes."""
    digest = hashlib.sha256()
    for source in sorted(Path(models.__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    path = folder / f"dense-{factory}-{digest.hexdigest()[:12]}.pt"
    if not path.is_file():
        say(factory)("training the dense control", 0, 1)
        torch.manual_seed(0)
        torch.set_num_threads(1)
        folder.mkdir(parents=True, exist_ok=True)
        make = getattr(dense_controls, factory)
        torch.save(make() if factory in ("co2", "digits") else make(data), path)
    return torch.load(path, weights_only=False)
