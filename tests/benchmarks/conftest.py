"""A kit made without torch: random weights, and the layer written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.cases import Case, Moe
from benchmarks.contestant import Kit
from benchmarks.peers import onnxruntime

Array = NDArray[Any]


def ffn(x: Array, gate: Array, up: Array, down: Array) -> Array:
    """SwiGLU: x [T, H] to the same."""
    g = x @ gate.T
    product: Array = (g / (1 + np.exp(-g)) * (x @ up.T)) @ down.T
    return product


def layer(x: Array, weights: dict[str, Array], moe: Moe) -> Array:
    """Softmax over all experts, the k best renormalised, and the shared expert."""
    logits = x @ weights["router"].T
    y = ffn(x, weights["shared_gate"], weights["shared_up"], weights["shared_down"])
    for token, row in enumerate(logits):
        best = np.argsort(-row)[: moe.chosen]
        shares = np.exp(row[best]) / np.exp(row[best]).sum()
        for share, expert in zip(shares, best, strict=True):
            parts = (weights[name][expert] for name in ("gate", "up", "down"))
            y[token] += share * ffn(x[token : token + 1], *parts)[0]
    return y


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    kit = Kit(Case("tiny.T3"), tmp_path_factory.mktemp("kit"))
    kit.save()
    moe, rng = kit.case.moe, np.random.default_rng(0)
    assert moe is not None
    h, i, e = moe.hidden, moe.inner, moe.experts
    shapes = {"router": (e, h), "gate": (e, i, h), "up": (e, i, h), "down": (e, h, i),
              "shared_gate": (i, h), "shared_up": (i, h), "shared_down": (h, i)}  # fmt: skip
    weights = {
        name: (rng.standard_normal(shape) / shape[-1] ** 0.5).astype(np.float32)
        for name, shape in shapes.items()
    }
    x = rng.standard_normal((3, h)).astype(np.float32)
    (kit.folder / "weights").mkdir()
    for name, array in weights.items():
        np.save(kit.folder / "weights" / f"{name}.npy", array)
    np.savez(kit.folder / "inputs.npz", x=x)
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    np.save(kit.folder / "wanted.npy", layer(x.astype(np.float64), wide, moe).astype(np.float32))
    onnxruntime.operator_graph(kit, moe, kit.onnx("grouped"), 32, {})
    return kit
