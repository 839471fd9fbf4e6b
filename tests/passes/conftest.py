"""Exports of hand-written layers, and the steps that every recognition test takes."""

from __future__ import annotations

import functools
import importlib.util
import logging
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe.graph_facts import kind_of
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import PassReport, run_passes
from edgemoe.specialise import bind_shapes

RECOGNISE = ("import", "canonicalise", "recognise")


def load_forms() -> ModuleType:
    """Load forms.py, which lies beside this file and in no package."""
    name = "edgemoe_tests_passes_forms"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("forms.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def torch_to_ir(module: Any, arguments: tuple[Any, ...], opset: int, **options: Any) -> ir.Model:
    """Export a module with torch's dynamo exporter."""
    import torch

    torch.set_num_threads(1)
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(), arguments, dynamo=True, verbose=False, opset_version=opset, **options
        )
        return ir.from_proto(program.model_proto)


@functools.cache
def _export(name: str, experts: int, chosen: int, opset: int, bias: bool) -> ir.Model:
    import torch

    forms = load_forms()
    layer = forms.FORMS[name](experts, chosen, **({"bias": True} if bias else {}))
    example = torch.randn(6, forms.HIDDEN)
    return torch_to_ir(layer, (example,), opset, input_names=["x"], dynamic_shapes=({0: "T"},))


class Tools:
    """What the tests do over and over."""

    recognise_phases = RECOGNISE
    export_module = staticmethod(torch_to_ir)

    @staticmethod
    def forms() -> ModuleType:
        return load_forms()

    @staticmethod
    def export(
        name: str, experts: int = 3, chosen: int = 2, opset: int = 18, bias: bool = False
    ) -> ir.Model:
        """Export a form with a free number of tokens T; the result is shared, so bind it."""
        return _export(name, experts, chosen, opset, bias)

    @staticmethod
    def text(source: str, weights: Mapping[str, np.ndarray] | None = None) -> ir.Model:
        """Read ONNX text; `weights` become initialisers."""
        model = ir.from_onnx_text(source)
        for name, array in (weights or {}).items():
            value = next((v for v in model.graph.inputs if v.name == name), None)
            assert value is not None, f"declare {name} as an input of the text"
            model.graph.inputs.remove(value)
            value.const_value = ir.tensor(array, name=name)
            model.graph.register_initializer(value)
        return bind_shapes(model, {})

    @staticmethod
    def run(model: ir.Model, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return run_in_onnxruntime(model, dict(feed))

    @staticmethod
    def feeds(model: ir.Model, count: int = 2) -> list[dict[str, np.ndarray]]:
        """Return random inputs; integers are 0 or 1."""
        result = []
        for seed in range(count):
            random = np.random.default_rng(seed)
            feed = {}
            for value in model.graph.inputs:
                shape = [int(d) for d in value.shape or ()]
                assert value.dtype is not None
                array = random.standard_normal(shape)
                if not value.dtype.is_floating_point():
                    array = random.integers(0, 2, shape)
                feed[str(value.name)] = array.astype(value.dtype.numpy())
            result.append(feed)
        return result

    @staticmethod
    def regions(model: ir.Model, kind: str = "MoE") -> list[ir.Node]:
        return [node for node in model.graph if kind_of(node) == kind]

    @classmethod
    def recognise(
        cls,
        model: ir.Model,
        feeds: Sequence[dict[str, np.ndarray]] | None = None,
        tolerance: float = 1e-5,
    ) -> PassReport:
        """Run the passes and compare the outputs with those of the model as it came."""
        feeds = cls.feeds(model) if feeds is None else feeds
        wanted = [cls.run(model, feed) for feed in feeds]
        report = run_passes(model, phases=RECOGNISE)
        for feed, expected in zip(feeds, wanted, strict=True):
            for got, want in zip(cls.run(model, feed), expected, strict=True):
                assert got.shape == want.shape and got.dtype == want.dtype
                np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
        return report


@pytest.fixture
def tools() -> type[Tools]:
    return Tools


@pytest.fixture
def run_pass() -> Callable[[ir.Model, str], int]:
    """Run one pass by name, with what the runner does after a change."""
    from edgemoe.graph_pass import PassContext
    from edgemoe.pass_runner import all_passes, settle

    passes = {p.name: p for p in all_passes()}

    def run(model: ir.Model, name: str) -> int:
        changes = passes[name](model, PassContext())
        settle(model)
        return changes

    return run
