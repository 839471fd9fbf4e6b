"""Artifacts for microcontrollers that several tests use, each compiled once per session."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgemoe
from edgemoe.artifact import Artifact, SelfTest
from edgemoe.artifact_writer import Contents
from edgemoe.buckets import feed_for, plan_buckets
from edgemoe.frontend import load_model
from edgemoe.plan import Plan, TensorInfo
from edgemoe.reference import Reference
from edgemoe.targets import load_target

HOMES = {"digits": "digits_mixer", "co2": "forecaster", "etth1": "forecaster",
         "sensor_moe": "sensor_moe"}  # fmt: skip

TOOLS = {
    "cortex-m4": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "cortex-m7": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "cortex-m33": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "cortex-m55": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "rv32imc": ("riscv64-unknown-elf-gcc", "qemu-system-riscv32"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torch's exporter warns about its own copies of node metadata."""
    for item in items:
        if "tests/mcu" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore"))


class Model:
    """A shipped model, imported once, with what onnxruntime makes of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.source = load_model(f"edgemoe.models.{HOMES[name]}:{name}", dynamic=False)
        self.buckets = plan_buckets(self.source.model, None, {})
        self.reference = Reference(self.buckets)

    def feed(self, seed: int) -> dict[str, np.ndarray]:
        return feed_for(self.buckets.bind(None), self.source.examples, {}, seed=seed)

    def wanted(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self.reference.run(feed, None)

    def compile(self, target: str, out: Path, **options: Any) -> Artifact:
        options = {"precision": "f32", **options}
        return edgemoe.compile(
            self.source.model.clone(), name=self.name, target=target, out=out, **options
        )


@pytest.fixture(scope="session")
def mcu_model() -> Callable[[str], Model]:
    """`mcu_model("digits")` -> Model."""
    known: dict[str, Model] = {}

    def get(name: str) -> Model:
        if name not in known:
            known[name] = Model(name)
        return known[name]

    return get


@pytest.fixture(scope="session")
def mcu_artifact(mcu_model, tmp_path_factory) -> Callable[..., Artifact]:
    """`mcu_artifact("digits", "cortex-m4", **options)` -> Artifact."""
    known: dict[object, Artifact] = {}

    def get(name: str, target: str, **options: Any) -> Artifact:
        key = (name, target, tuple(sorted(options.items())))
        if key not in known:
            out = tmp_path_factory.mktemp("mcu") / name
            known[key] = mcu_model(name).compile(target, out, **options)
        return known[key]

    return get


@pytest.fixture
def write_program(tmp_path) -> Callable[..., Artifact]:
    """`write_program(program, inputs, outputs, target)` -> the artifact of a hand-made program."""

    def write(
        program: Any, inputs: list[TensorInfo], outputs: list[TensorInfo],
        target: str = "cortex-m4", test: SelfTest | None = None,
    ) -> Artifact:  # fmt: skip
        from edgemoe.targets.mcu.c_kernels import c_kernels
        from edgemoe.targets.mcu.package import write_mcu_artifact

        spec = load_target(target)
        assert spec.mcu is not None
        variant = program.finish(None, spec.mcu.alignment)
        plan = Plan(
            name="toy", target=target, isas=(target,), inputs=tuple(inputs),
            outputs=tuple(outputs), variants=(variant,), kernels=program.kernels.kernels(),
            weights=tuple(program.weights.sections), weights_bytes=program.weights.nbytes,
        )  # fmt: skip
        assert Plan.from_json(plan.to_json()) == plan
        isa = replace(spec.isas[0], prefix="toy")
        built = {name: s.build(name, isa) for s, name in program.kernels.names.items()}
        return write_mcu_artifact(
            tmp_path / f"toy-{target}", spec, plan, program.weights.data(), c_kernels(built, "toy"),
            Contents([test] if test else []),
        )  # fmt: skip

    return write
