"""Shared by all tests: the marker `needs(tool)`, golden files, and the toy artifacts."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgemoe.artifact import Artifact


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")
    parser.addoption(
        "--no-tool-skips",
        action="store_true",
        help="a test that needs a missing tool fails instead of being skipped",
    )
    parser.addoption(
        "--slow", action="store_true", help="also run the tests that are marked `slow`"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    left_out = [item for item in items if item.get_closest_marker("slow")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@cache
def _has_device(target: str) -> bool:
    from edgemoe.targets import gpu, load_target

    return gpu.runs_here(load_target(target))


def _missing(tool: str) -> bool:
    """A tool is a program on PATH, `python:module`, or `device:target` for a GPU with a driver.

    "clang|clang-14" is either of the two.
    """
    if tool.startswith("device:"):
        return not _has_device(tool.removeprefix("device:"))
    if tool.startswith("python:"):
        return importlib.util.find_spec(tool.removeprefix("python:")) is None
    return not any(map(shutil.which, tool.split("|")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for tool in marker.args:
            if not _missing(tool):
                continue
            if item.config.getoption("--no-tool-skips"):
                pytest.fail(f"needs {tool}, which is not installed", pytrace=False)
            pytest.skip(f"needs {tool}, which is not installed")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` compares with `golden/name` beside the test file.

    `pytest --update-golden` writes it.
    """
    folder = Path(request.path).parent / "golden"

    def check(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            return
        assert path.is_file(), f"{path} does not exist; run pytest --update-golden"
        assert text == path.read_text("utf-8"), f"{path} differs; see pytest --update-golden"

    return check


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """The module `tests/toys.py`: hand-made plans over toy kernels."""
    name = "edgemoe_toys"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "toys.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def toy_artifact(
    toys: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Artifact]:
    """`toy_artifact("mixer", dispatch="pad")` builds a toy once and returns its artifact.

    Tests that damage it must copy it.
    """
    root = tmp_path_factory.mktemp("toys")
    made: dict[str, Artifact] = {}

    def build(name: str, **options: Any) -> Artifact:
        key = f"{name}{options}"
        if key not in made:
            made[key] = toys.build(getattr(toys, name)(**options), root / str(len(made)))
        return made[key]

    return build
