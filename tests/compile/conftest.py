"""Artifacts that several tests use, each compiled once per session."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import edgemoe
from edgemoe.buckets import Buckets, feed_for, plan_buckets
from edgemoe.errors import DeviceError
from edgemoe.frontend import Source, load_model
from edgemoe.reference import Reference

SHIPPED = {
    "char_moe": ("moe_lm", [1, 8, 64]),
    "char_blockffn": ("blockffn_lm", [1, 8, 64]),
    "etth1": ("forecaster", None),
    "co2": ("forecaster", None),
    "digits": ("digits_mixer", None),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torch's exporter warns about its own copies of node metadata."""
    for item in items:
        if "tests/compile" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore"))


def relative_rms(got: Any, wanted: Any) -> float:
    """Relative RMS error, computed in float64; 0 for two arrays of zeros."""
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    assert got.shape == wanted.shape
    error, scale = np.sqrt(np.mean((got - wanted) ** 2)), np.sqrt(np.mean(wanted**2))
    return float(error / scale) if scale else float(error)


def same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Tell whether two results have the same names and bytes."""
    return one.keys() == other.keys() and all(
        one[n].shape == other[n].shape and one[n].tobytes() == other[n].tobytes() for n in one
    )


def sessions(artifact: Any, **options: Any) -> dict[str, Any]:
    """A session per instruction set of the artifact that this CPU has."""
    found = {}
    for isa in artifact.plan.isas:
        try:
            found[isa] = edgemoe.load(artifact.path, isa=isa, **options)
        except DeviceError:
            continue
    assert found, "this CPU has no instruction set of the target"
    return found


@dataclass
class Compiled:
    """An artifact with the model that it came from."""

    artifact: Any
    source: Source
    buckets: Buckets
    reference: Reference
    _opened: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, model: Any, out: Any, tokens: Any = None, **options: Any) -> Compiled:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            artifact = edgemoe.compile(model, out=out, tokens=tokens, **options)
            source = load_model(model, dynamic=tokens is not None)
        buckets = plan_buckets(source.model, tokens, {})
        return cls(artifact, source, buckets, Reference(buckets))

    @property
    def plan(self) -> Any:
        return self.artifact.plan

    def sessions(self) -> dict[str, Any]:
        """A session per instruction set; kept open, so reset states before use."""
        if not self._opened:
            self._opened = sessions(self.artifact)
        return self._opened

    def best(self) -> Any:
        return list(self.sessions().values())[-1]

    def feed(self, tokens: int | None, seed: int = 1) -> dict[str, np.ndarray]:
        """Random inputs; states begin at zero."""
        return feed_for(
            self.buckets.bind(tokens), self.source.examples, self.source.states, seed=seed
        )

    def busy_feed(self, tokens: int, seed: int = 1) -> dict[str, np.ndarray]:
        """The same with states as they are after `33` tokens."""
        feed = self.feed(tokens, seed)
        earlier = self.reference.run(self.feed(33, seed + 100), 33)
        return feed | {name: earlier[out] for name, out in self.source.states.items()}


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """`shipped("char_moe")` -> Compiled."""
    made: dict[str, Compiled] = {}

    def get(name: str) -> Compiled:
        if name not in made:
            module, tokens = SHIPPED[name]
            out = tmp_path_factory.mktemp("shipped") / name
            made[name] = Compiled.make(f"edgemoe.models.{module}:{name}", out, tokens)
        return made[name]

    return get


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """`compiled("key", model, tokens=..., **options)` -> Compiled, made once per key."""
    made: dict[str, Compiled] = {}

    def get(key: str, model: Any = None, tokens: Any = None, **options: Any) -> Compiled:
        if key not in made:
            out = tmp_path_factory.mktemp("compiled") / "model"
            given = model() if callable(model) else model
            made[key] = Compiled.make(given, out, tokens, name=key, **options)
        return made[key]

    return get


@pytest.fixture(scope="session")
def rms():
    return relative_rms


@pytest.fixture(scope="session")
def same():
    return same_bits


def load_file(name: str, path: Path) -> ModuleType:
    """Load a file that is in no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def layers() -> ModuleType:
    return load_file("edgemoe_tests_compile_layers", Path(__file__).with_name("layers.py"))


@pytest.fixture(scope="session")
def forms() -> ModuleType:
    """MoE layers as people write them, of the recognition tests."""
    path = Path(__file__).parent.parent / "passes" / "forms.py"
    return load_file("edgemoe_tests_passes_forms", path)
