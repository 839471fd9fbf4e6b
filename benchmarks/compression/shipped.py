"""The models that ship, with calibration data from one split and a judge of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgemoe.buckets import plan_buckets
from edgemoe.compression.judge import Judge
from edgemoe.compression.parallel import usable_cpus
from edgemoe.compression.task import Task, task_of
from edgemoe.frontend import load_model
from edgemoe.models import calibration
from edgemoe.reference import Reference

FACTORIES = {
    "etth1": "forecaster:etth1", "co2": "forecaster:co2", "char_moe": "moe_lm:char_moe",
    "char_blockffn": "blockffn_lm:char_blockffn", "digits": "digits_mixer:digits",
    "domain_moe.text": "domain_moe:domain_moe", "domain_moe.series": "domain_moe:domain_moe",
}  # fmt: skip
"""Behind a dot: the one domain that the model is compiled for, as by `--task domain=...`."""


def files_of(etth1: Path | None, text: Path | None, domains: Path | None) -> dict[str, Path | None]:
    """The data file, or folder, of each model that needs one."""
    return {
        "etth1": etth1, "char_moe": text, "char_blockffn": text,
        "domain_moe.text": domains, "domain_moe.series": domains,
    }  # fmt: skip


@dataclass(frozen=True)
class Shipped:
    """`task` holds samples of the validation split, `test` judges on those of the test split."""

    name: str
    task: Task
    test: Judge


def shipped(
    name: str, files: Mapping[str, Path | None], *, samples: int = 256, test_samples: int = 512
) -> Shipped:
    """Load a model, its calibration samples and its test samples.

    Args:
        name: a key of `FACTORIES`.
        files: the data file of each model that needs one, by model.
        samples: of the validation split, half to search on and half to prove on.
        test_samples: of the test split.
    """
    source = load_model(f"edgemoe.models.{FACTORIES[name]}", dynamic=False)
    buckets = plan_buckets(source.model, None, {})
    data = files.get(name)
    base, _, domain = name.partition(".")
    only = {"domain": domain} if domain else None
    given = calibration.arrays(base, data, samples=samples)
    task = task_of(source, buckets, given, "auto", only=only)
    held = calibration.arrays(base, data, split="test", samples=test_samples)
    test = task_of(source, buckets, held, "auto", only=only)
    reference = Reference(buckets)
    judge = Judge(
        test.samples, test.metrics, lambda feed: reference.run(feed, test.count),
        threads=usable_cpus(),
    )  # fmt: skip
    return Shipped(name, task, judge)
