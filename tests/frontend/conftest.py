"""One thread; the layers of layers.py; and what the tests of exports do over and over."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

with contextlib.suppress(ImportError):
    import torch

    torch.set_num_threads(1)


def _load(stem: str) -> ModuleType:
    name = f"edgemoe_tests_frontend_{stem}"
    if name not in sys.modules:
        path = Path(__file__).with_name(f"{stem}.py")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def layers() -> ModuleType:
    return _load("layers")


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    return _load("tiny")


@pytest.fixture(scope="session")
def families() -> ModuleType:
    return _load("families")
