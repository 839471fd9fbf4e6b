"""What a wheel would hold: every folder of ours is listed, and where it lies is right."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = ("edgemoe", "passes", "runtime", "targets", "cli", "models")


def _folders() -> set[str]:
    """Names of all packages: folders of Python or data files, links not followed."""
    found = set()
    for top in TOP:
        for file in (ROOT / top).rglob("*"):
            inside = file.parent.relative_to(ROOT).parts
            if file.is_file() and not file.is_symlink() and "__pycache__" not in inside:
                found.add(".".join(inside if top == "edgemoe" else ("edgemoe", *inside)))
    return found


def test_every_folder_is_a_package_of_the_wheel():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(tools["packages"]) == _folders()
    assert set(tools["package-data"]) <= set(tools["packages"])
