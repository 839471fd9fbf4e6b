"""Exports of the reference models, and the whole way from a file to numbers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch.utils import _pytree as pytree

import edgemoe
from edgemoe.models.families import Case

Feed = dict[str, np.ndarray]


class Family:
    """One reference model, exported in one way to a plain .onnx file."""

    def __init__(self, case: Case, way: str, folder: Path) -> None:
        torch.set_num_threads(1)
        logging.getLogger("torch").setLevel(logging.ERROR)
        self.case, self.way = case, way
        self.module, self.inputs = case.make()
        self.path = folder / f"{case.name}-{way}.onnx"
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(self.module, self.inputs, str(self.path), **self._options())
        self.names = [value.name for value in ir.load(self.path).graph.inputs]

    def _options(self) -> dict[str, Any]:
        if self.way == "torchscript":
            return {"dynamo": False, "opset_version": 18}
        options: dict[str, Any] = {"dynamo": True, "opset_version": 20, "verbose": False}
        if self.way == "dynamic":
            options["dynamic_shapes"] = self.case.dynamic
        return options

    def tokens(self) -> list[int] | None:
        """The bucket to compile a dynamic export for: the size of the example."""
        if self.way != "dynamic":
            return None
        sizes = {
            tensor.shape[axis]
            for tensor, axes in zip(self.inputs, self.case.dynamic, strict=True)
            for axis in axes or {}
        }
        return sorted(sizes)

    def feeds(self) -> list[tuple[tuple[Any, ...], Feed]]:
        """The example, and another input of the same shapes that routes differently."""
        random = torch.Generator().manual_seed(7)

        def other(x: Any) -> Any:
            if x.dtype.is_floating_point:
                return torch.randn(x.shape, generator=random).to(x.dtype)
            return x.flatten()[torch.randperm(x.numel(), generator=random)].view(x.shape)

        both = [self.inputs, pytree.tree_map(other, self.inputs)]
        return [(each, self._named(pytree.tree_leaves(each))) for each in both]

    def _named(self, tensors: list[torch.Tensor]) -> Feed:
        return {n: t.numpy() for n, t in zip(self.names, tensors, strict=True)}

    def wanted(self, inputs: tuple[Any, ...]) -> list[np.ndarray]:
        with torch.no_grad():
            result = self.module(*pytree.tree_map(torch.clone, inputs))
        return [t.numpy() for t in pytree.tree_leaves(result)]

    def explain(self) -> Any:
        from edgemoe.compiler import explain

        return explain(str(self.path), tokens=self.tokens())

    def compile(self, out: Path) -> Any:
        edgemoe.compile(str(self.path), tokens=self.tokens(), cpu="native", out=out)
        return edgemoe.load(out)

    @staticmethod
    def expert_macs(session: Any, feed: Mapping[str, np.ndarray]) -> int:
        """Multiply-accumulates of experts that the runtime did for this input."""
        from edgemoe.runtime.profile import profile

        return sum(use.macs for use in profile(session, dict(feed), runs=1).regions)


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`families(case, way)` exports once."""
    folder = tmp_path_factory.mktemp("families")
    made: dict[tuple[str, str], Family] = {}

    def get(case: Case, way: str) -> Family:
        key = (case.name, way)
        if key not in made:
            made[key] = Family(case, way, folder)
        return made[key]

    return get
