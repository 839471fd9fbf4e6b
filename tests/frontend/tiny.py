"""One-layer configurations of transformers, with random weights, and a plain signature."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

_LATENT: dict[str, Any] = {
    "n_routed_experts": 8, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2,
    "moe_intermediate_size": 24, "first_k_dense_replace": 0, "q_lora_rank": 16, "kv_lora_rank": 16,
    "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8, "num_key_value_heads": 4,
}  # fmt: skip
_LOCAL: dict[str, Any] = {"num_local_experts": 4, "num_experts_per_tok": 2}
_PLAIN: dict[str, Any] = {
    "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "mixtral": _LOCAL,
    "qwen2_moe": {**_PLAIN, "shared_expert_intermediate_size": 40},
    "qwen3_moe": {**_PLAIN, "head_dim": 8, "decoder_sparse_step": 1},
    "olmoe": _PLAIN,
    "granitemoe": _LOCAL,
    "gpt_oss": {**_LOCAL, "head_dim": 8},
    "deepseek_v3": _LATENT,
    "deepseek_v2": _LATENT,
    "jetmoe": {**_LOCAL, "kv_channels": 8},
    "phimoe": _LOCAL,
    "minimax_m2": {**_LOCAL, "head_dim": 8},
    "llama4_text": {"num_local_experts": 4, "intermediate_size_mlp": 48, "head_dim": 8,
                    "interleave_moe_layer_step": 1},
}  # fmt: skip
_SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


class Logits(nn.Module):
    """Token ids [B, T] -> logits [B, T, V]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.export_options = {"input_names": ["input_ids"], "output_names": ["logits"]}

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, use_cache=False).logits


def model(family: str) -> Logits:
    """A model of one layer; norms are random too, so that nothing hides behind ones."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(family, **{**_SIZES, **FAMILIES[family]})
    made = AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return Logits(made.float().eval())


def tokens(count: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 64, (1, count), generator=generator)
