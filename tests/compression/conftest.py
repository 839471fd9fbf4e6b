"""Recognised graphs of small layers, and torch as the definition of what pruning computes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn

import edgemoe
from edgemoe.buckets import plan_buckets
from edgemoe.frontend import load_model
from edgemoe.graph_facts import kind_of
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torch's exporter warns about its own copies of node metadata."""
    for item in items:
        if "tests/compression" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore"))


class Graphs:
    """What the tests do over and over."""

    @staticmethod
    def recognised(model: Any, tokens: Sequence[int] | None = None) -> list[ir.Model]:
        """Return the graph of every token bucket after the phase recognise."""
        torch.set_num_threads(1)
        logging.getLogger("torch").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = load_model(model, dynamic=tokens is not None)
        buckets = plan_buckets(source.model, tokens, {})
        graphs = [buckets.bind(count) for count in buckets.counts]
        for graph in graphs:
            run_passes(graph, phases=("import", "canonicalise", "recognise"))
        return graphs

    @classmethod
    def of(cls, module: nn.Module, *inputs: Tensor) -> ir.Model:
        """Return the recognised graph of a module with fixed shapes."""
        return cls.recognised((module, inputs))[0]

    @staticmethod
    def feed(graph: ir.Model, *arrays: np.ndarray) -> dict[str, np.ndarray]:
        return {str(v.name): a for v, a in zip(graph.graph.inputs, arrays, strict=True)}

    @staticmethod
    def run(graph: ir.Model, *arrays: np.ndarray) -> np.ndarray:
        """Return the first output in onnxruntime."""
        return run_in_onnxruntime(graph, Graphs.feed(graph, *arrays))[0]

    @staticmethod
    def calls(graph: ir.Model, kind: str) -> list[ir.Node]:
        return [node for node in graph.graph if kind_of(node) == kind]

    @staticmethod
    def lowered(graph: ir.Model) -> Any:
        """Run the phase fuse and lower with float32 weights."""
        from edgemoe.precision import Precision
        from edgemoe.targets.cpu import lower_variants
        from edgemoe.weight_format import F32

        run_passes(graph, phases=("fuse",))
        return lower_variants([graph], [None], Precision(F32))

    @staticmethod
    def compiled(
        model: Any, out: Path, change: Callable[[ir.Model], object],
        tokens: Sequence[int] | None = None,
    ) -> Any:  # fmt: skip
        """Compile a model, with its graphs changed after recognition, and open the artifact."""

        def recognised(graph: ir.Model) -> object:
            report = run_passes(graph, phases=("import", "canonicalise", "recognise"))
            change(graph)
            return report

        def passes(graph: ir.Model, **_: object) -> object:
            report = recognised(graph)
            run_passes(graph, phases=("decide", "fuse"))
            return report

        class Changed:
            """The oracle of the self-tests: onnxruntime on the changed graph."""

            def __init__(self, buckets: Any) -> None:
                self._buckets = buckets
                self._graphs: dict[int | None, ir.Model] = {}

            def run(self, feed: dict[str, np.ndarray], count: int | None) -> dict[str, np.ndarray]:
                if count not in self._graphs:
                    self._graphs[count] = self._buckets.bind(count)
                    recognised(self._graphs[count])
                graph = self._graphs[count]
                names = [str(v.name) for v in graph.graph.outputs]
                return dict(zip(names, run_in_onnxruntime(graph, feed), strict=True))

        with (
            patch("edgemoe.variants.run_passes", passes),
            patch("edgemoe.compiler.Reference", Changed),
        ):
            edgemoe.compile(model, out=out, cpu="native", tokens=tokens)
        return edgemoe.load(out, check=True)


@pytest.fixture
def graphs() -> type[Graphs]:
    return Graphs
