"""Large graphs cost time in proportion to their nodes, and no session of onnxruntime each.

Nothing here passes or fails by a tight time: sessions are counted, and the one limit is generous.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import constant_eval, shapes
from edgemoe.anti_unify import AntiUnifier
from edgemoe.compiler import explain


@pytest.fixture(scope="module")
def loops() -> ModuleType:
    path = Path(__file__).with_name("unrolled_loops.py")
    spec = importlib.util.spec_from_file_location("edgemoe_tests_unrolled_loops", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the sessions that constant_eval opens."""
    opened: list[int] = []
    original = constant_eval._onnxruntime

    def count(model: Any, names: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        opened.append(len(model.graph.node))
        return original(model, names, feeds)

    monkeypatch.setattr(constant_eval, "_onnxruntime", count)
    return opened


def inferred(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """How many nodes are inferred while `work` runs."""
    count = 0
    original = shapes._infer

    def infer(*arguments: Any) -> None:
        nonlocal count
        count += 1
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shapes, "_infer", infer)
        work()
    return count


def test_two_thousand_nodes_open_no_session(loops: ModuleType, sessions: list[int]) -> None:
    model = loops.build(layers=8, experts=16)
    assert model.graph.num_nodes() > 2000
    start = time.process_time()
    found = explain(model, tokens=[8])
    assert time.process_time() - start < 60  # about 3 s
    assert [c.matched for c in found.candidates] == [True] * 16
    assert not sessions


def test_inference_is_linear_in_the_nodes(
    loops: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (loops.build(layers=n, experts=4, mask="GreaterOrEqual") for n in (2, 6))
    counts = [inferred(monkeypatch, lambda m=model: explain(m, tokens=[8]))  # type: ignore[misc]
              for model in (small, large)]  # fmt: skip
    assert counts[1] < 3.2 * counts[0]
    # However many passes change something: rows that NonZero picks are tried once.
    assert counts[1] < 4 * large.graph.num_nodes()


def test_templates_may_be_deeper_than_the_stack() -> None:
    def chain(name: str) -> ir.Value:
        tensor = ir.tensor(np.ones(3, np.float32))
        value = ir.Value(name=name, shape=ir.Shape([3]), type=ir.TensorType(ir.DataType.FLOAT),
                         const_value=tensor)  # fmt: skip
        for _ in range(3000):
            value = ir.node("Exp", [value]).outputs[0]
        return value

    template = AntiUnifier().unify([chain("a"), chain("b")])
    assert template is not None
    assert len(template.find(lambda part: part.kind == "parameter")) == 1
