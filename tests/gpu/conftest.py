"""Shared by the tests of GPUs: toy artifacts in both languages, and where they run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgemoe.artifact import Artifact
from edgemoe.runtime.session import Session

PACKAGES = {
    "opencl": "pyopencl and an OpenCL driver (apt install pocl-opencl-icd)",
    "webgpu": "wgpu and a Vulkan driver (apt install mesa-vulkan-drivers libvulkan1)",
}


@cache
def _has(family: str) -> bool:
    from edgemoe.runtime.gpu_devices import has_device

    return has_device(family)


def need(request: pytest.FixtureRequest, there: bool, what: str) -> None:
    """Skip a test that needs something absent, or fail it with --no-tool-skips."""
    if there:
        return
    if request.config.getoption("--no-tool-skips"):
        pytest.fail(f"needs {what}, which is not installed", pytrace=False)
    pytest.skip(f"needs {what}, which is not installed")


@pytest.fixture(params=["opencl", "webgpu"])
def family(request: pytest.FixtureRequest) -> str:
    """Both families, each where there is a device."""
    need(request, _has(request.param), PACKAGES[request.param])
    return str(request.param)


@pytest.fixture
def opencl(request: pytest.FixtureRequest) -> str:
    need(request, _has("opencl"), PACKAGES["opencl"])
    return "opencl"


def _module(name: str) -> ModuleType:
    key = f"edgemoe_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, Path(__file__).parent / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module
        spec.loader.exec_module(module)
    return sys.modules[key]


@pytest.fixture(scope="session")
def gpu_toys() -> ModuleType:
    """The module `gpu_toys.py`: hand-made plans over toy kernels."""
    return _module("gpu_toys")


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
def opened(gpu_artifact: Callable[..., Artifact]) -> Iterator[Callable[..., Session]]:
    """`opened("mixer", "opencl")` is a session that is closed after the test."""
    sessions: list[Session] = []

    def open_it(name: str, family: str, check: bool = False, **options: Any) -> Session:
        sessions.append(gpu_artifact(name, family, **options).load(check=check))
        return sessions[-1]

    yield open_it
    for session in sessions:
        session.close()
