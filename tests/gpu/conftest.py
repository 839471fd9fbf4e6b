"""Shared by the tests of GPUs: toy artifacts in both languages, and where they run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgemoe.artifact import Artifact
from edgemoe.runtime.session import Session


@pytest.fixture(scope="session")
def gpu_toys() -> ModuleType:
    """The module `gpu_toys.py`: hand-made plans over toy kernels."""
    name = "edgemoe_gpu_toys"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "gpu_toys.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def gpu_artifact(
    gpu_toys: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Artifact]:
    """`gpu_artifact("mixer", "opencl", dispatch="pad")` writes a toy once and returns its artifact.

    Tests that damage it must copy it.
    """
    root = tmp_path_factory.mktemp("gpu-toys")
    made: dict[str, Artifact] = {}

    def build(name: str, family: str, **options: Any) -> Artifact:
        language = "opencl" if family == "opencl" else "wgsl"
        key = f"{name}{language}{options}"
        if key not in made:
            toy = getattr(gpu_toys, name)(language, **options)
            made[key] = gpu_toys.write(toy, root / str(len(made)), language)
        return made[key]

    return build


@pytest.fixture
def opened(gpu_artifact: Callable[..., Artifact]) -> Any:
    """`opened("mixer", "opencl")` is a session that is closed after the test."""
    sessions: list[Session] = []

    def open_it(name: str, family: str, check: bool = False, **options: Any) -> Session:
        sessions.append(gpu_artifact(name, family, **options).load(check=check))
        return sessions[-1]

    yield open_it
    for session in sessions:
        session.close()
