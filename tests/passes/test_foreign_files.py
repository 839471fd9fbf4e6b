"""Layers of transformers as other people export them: torch.onnx.export and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgemoe import graph_facts
from edgemoe.specialise import bind_shapes

torch = pytest.importorskip("torch")

T, H, E, K, INNER = 6, 8, 4, 2, 5
FEEDS = [{"x": np.random.default_rng(seed).normal(size=(T, H)).astype("f")} for seed in (0, 1)]


class Batched(torch.nn.Module):
    """Every expert in one product; what is not chosen gets a score of minus infinity."""

    def __init__(self, function: str, low: float, on_input: bool) -> None:
        super().__init__()
        self.router = torch.nn.Linear(H, E, bias=False)
        self.up = torch.nn.Parameter(torch.randn(E, H, INNER))
        self.down = torch.nn.Parameter(torch.randn(E, INNER, H))
        self.function, self.low, self.on_input = function, low, on_input

    def forward(self, x: Any) -> Any:
        logits = self.router(x)
        best, ids = logits.topk(K, dim=-1)
        scores = torch.full_like(logits, self.low).scatter(1, ids, best)
        weights = scores.softmax(-1) if self.function == "softmax" else scores.sigmoid()
        each = weights.t().unsqueeze(-1)
        rows = x.expand(E, T, H) * each if self.on_input else x.expand(E, T, H)
        y = torch.bmm(torch.bmm(rows, self.up).relu(), self.down)
        return (y if self.on_input else y * each).sum(0)


@pytest.mark.parametrize("on_input", [True, False])
@pytest.mark.parametrize(
    ("function", "low", "chosen"),
    [
        ("sigmoid", -np.inf, True),
        ("softmax", -np.inf, True),
        ("sigmoid", -1e9, True),
        ("sigmoid", -3.0, False),
        ("softmax", -1e9, False),  # no proof: the scores of the chosen may be as low
    ],
)
def test_scores_that_vanish(
    tools: Any, function: str, low: float, chosen: bool, on_input: bool
) -> None:
    torch.manual_seed(0)
    module = Batched(function, low, on_input)
    exported = tools.export_module(module, (torch.from_numpy(FEEDS[0]["x"]),), 18,
                                   input_names=["x"])  # fmt: skip
    graph = bind_shapes(exported, {})
    tools.recognise(graph, FEEDS, tolerance=1e-4)
    indexed = [
        node for node in tools.regions(graph) if node.metadata_props["edgemoe.routing"] == "indexed"
    ]
    assert bool(indexed) == chosen
    for node in indexed:
        assert graph_facts.shape_of(node.inputs[1]) == (T, K)


@pytest.mark.needs("python:transformers")
def test_experts_that_are_rows_of_tables(tools: Any) -> None:
    """Doge: the experts of PEER, one neuron each, gathered by matrix products."""
    from transformers.models.doge.configuration_doge import DogeConfig
    from transformers.models.doge.modeling_doge import DogeCDMoE

    from edgemoe.compiler import explain

    config = DogeConfig(hidden_size=H, intermediate_size=INNER, num_experts=64,
                        num_experts_per_tok=4, is_moe=True)  # fmt: skip
    torch.manual_seed(0)
    layer = DogeCDMoE(config).eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    exported = tools.export_module(layer, (torch.randn(1, T, H),), 18, input_names=["x"])
    found = explain(exported)
    assert [c.facts["form"] for c in found.candidates if c.subject == "experts"] == ["rows"]
    assert found.coverage.expert_share == 1.0
