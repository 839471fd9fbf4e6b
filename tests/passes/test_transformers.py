"""Tiny configurations of families in transformers, exported with their experts gathered."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

from edgemoe.graph_facts import origin_of
from edgemoe.specialise import bind_shapes

BASE = {
    "vocab_size": 32, "hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32,
}  # fmt: skip
MLA = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "v_head_dim": 4,
       "qk_nope_head_dim": 4, "first_k_dense_replace": 0, "n_shared_experts": 1}  # fmt: skip

FAMILIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "mixtral": ("MixtralConfig", {"num_local_experts": 4, "num_experts_per_tok": 2},
                {"score": "softmax", "renormalise": "sum", "k": 2}),
    "qwen3_moe": ("Qwen3MoeConfig", {"moe_intermediate_size": 8, "num_experts": 6,
                                     "num_experts_per_tok": 3, "head_dim": 8},
                  {"score": "softmax", "renormalise": "none", "k": 3}),
    "deepseek_v3": ("DeepseekV3Config", {"moe_intermediate_size": 8, "n_routed_experts": 8,
                                         "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2,
                                         **MLA},
                    {"score": "sigmoid", "bias": True, "groups": 4, "top_groups": 2,
                     "group_score": "sum2", "scale": 2.5}),
    "granitemoe": ("GraniteMoeConfig", {"num_local_experts": 4, "num_experts_per_tok": 2},
                   {"score": "none", "softmax_after": True}),
    "gpt_oss": ("GptOssConfig", {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8,
                                 "sliding_window": 8}, {"score": "none", "softmax_after": True}),
}  # fmt: skip


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss"])
def test_rows_sorted_into_groups(tools: Any, family: str) -> None:
    """transformers' own default: sort by expert, one product per group, sort back."""
    import torch

    name, extra, expected = FAMILIES[family]
    module, options = language_model(name, extra, "grouped_mm")
    from transformers.exporters import exporter_onnx

    operator = torch.ops.transformers.grouped_mm_fallback.default
    table = {operator: exporter_onnx._aten_grouped_mm}
    exported = tools.export_module(module, options, 18, input_names=["input_ids"],
                                   custom_translation_table=table)  # fmt: skip
    graph = bind_shapes(exported, {})
    tools.recognise(graph, FEEDS, tolerance=1e-4)
    (moe,), (route,) = tools.regions(graph), tools.regions(graph, "Route")
    found = json.loads(route.metadata_props["edgemoe.route"])
    assert {key: found[key] for key in expected} == expected
    large = [v.shape for v in moe.inputs[3:] if len(v.shape) == 3]
    assert large == [(4, 16, 24), (4, 12, 16)]  # not restacked
    assert not any("stacked" in str(v.name) for v in moe.inputs)
    assert "Range" not in [node.op_type for node in graph.graph]


FEEDS = [{"input_ids": np.random.default_rng(s).integers(0, 32, (1, 5))} for s in (0, 1)]


def language_model(name: str, extra: dict[str, Any], experts: str) -> tuple[Any, tuple[Any, ...]]:
    """Return a module that maps ids [1, 5] to logits, with random weights, and its inputs."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers

        config = getattr(transformers, name)(**{**BASE, **extra})
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        model.set_experts_implementation(experts)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, float(parameter.dim() == 1), 0.2)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=input_ids, use_cache=False).logits

    return Logits(), (torch.randint(0, 32, (1, 5)),)


@pytest.mark.parametrize("family", FAMILIES)
def test_recognised(tools: Any, family: str) -> None:
    name, extra, expected = FAMILIES[family]
    module, options = language_model(name, extra, "batched_mm")
    graph = bind_shapes(tools.export_module(module, options, 18, input_names=["input_ids"]), {})
    tools.recognise(graph, FEEDS, tolerance=1e-4)
    (moe,), (route,) = tools.regions(graph), tools.regions(graph, "Route")
    found = json.loads(route.metadata_props["edgemoe.route"])
    assert {key: found[key] for key in expected} == expected
    assert origin_of(moe).startswith("model.model.layers.0.") and origin_of(moe).endswith("experts")
