"""Tiny configurations of the mixture-of-experts families of transformers; imported by path.

`SIZES` holds every size under all names that configurations use; each configuration takes those
that it knows. `FAMILIES` says what else a family needs, and which class has its layers.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 8, "num_experts": 8,
    "num_local_experts": 8, "n_routed_experts": 8, "moe_num_experts": 8,
    "num_experts_per_tok": 2, "moe_k": 2, "moe_topk": 2, "top_k_experts": 2,
    "num_experts_per_token": 2, "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 40, "n_shared_experts": 1, "num_shared_experts": 1,
    "moe_num_shared_experts": 1, "first_k_dense_replace": 0, "num_dense_layers": 0,
    "moe_layer_start_index": 0, "n_group": 2, "topk_group": 1, "decoder_sparse_step": 1,
    "mlp_only_layers": [], "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8, "v_head_dim": 8, "shared_intermediate_size": 40, "sliding_window": 8,
    "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "mamba_d_state": 8, "mamba_n_heads": 8, "mamba_d_head": 8,
    "mamba_n_groups": 1, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 4,
    "mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 8, "n_groups": 1,
    "index_n_heads": 32, "index_head_dim": 8, "index_topk": 4, "use_mamba_kernels": False,
    # Many heads of an indexer: with few, their ReLUs give zeros, and ties are broken in any way.
}  # fmt: skip
SPARSE = {"mlp_layer_types": ["sparse"]}
FULL = {"layer_types": ["full_attention"]}


@dataclass(frozen=True)
class Family:
    """What a family needs beside the sizes, and what is expected of its first router."""

    options: dict[str, Any] = field(default_factory=dict)
    model: str = ""  # package.Class, where transformers" mappings do not say it
    router: str = "topk"  # file of passes/routers
    route: dict[str, Any] = field(default_factory=dict)
    encoder_decoder: bool = False


FAMILIES: dict[str, Family] = {
    "afmoe": Family(),
    "aria_text": Family(),
    "deepseek_v2": Family(),
    "deepseek_v3": Family(router="grouped_topk"),
    "dots1": Family(router="grouped_topk"),
    "flex_olmo": Family(),
    "granitemoe": Family(),
    "granitemoe_swa": Family(),
    "granitemoeshared": Family(),
    "jetmoe": Family(),
    "minimax_m2": Family(),
    "mixtral": Family(),
    "olmoe": Family(),
    "phimoe": Family(router="sparsemixer"),
    "qwen2_moe": Family(),
    "qwen3_moe": Family(),
    "kolibri1": Family(),
    "solar_open": Family(router="grouped_topk"),
    "glm4_moe": Family(router="grouped_topk"),
    "mistral4": Family(router="grouped_topk"),
    "gpt_oss": Family(),
    "openai_privacy_filter": Family(),
    "hunyuan_v1_moe": Family(),
    "ernie4_5_moe": Family(),
    "minimax": Family(),
    "axk1": Family(SPARSE, router="grouped_topk"),
    "axk2": Family(SPARSE, router="grouped_topk"),
    "beam": Family(SPARSE, router="grouped_topk"),
    "cohere2_moe": Family(SPARSE),
    "deepseek_v32": Family(SPARSE, router="grouped_topk"),
    "dots3_note_text": Family(SPARSE, router="grouped_topk"),
    "exaone_moe": Family(SPARSE, router="grouped_topk"),
    "glm4_moe_lite": Family(SPARSE, router="grouped_topk"),
    "glm_moe_dsa": Family(SPARSE, router="grouped_topk"),
    "laguna": Family(SPARSE),
    "mellum": Family(SPARSE),
    "mimo_v2_flash": Family(SPARSE, router="grouped_topk"),
    "mistral_large4_text": Family(SPARSE, router="grouped_topk"),
    "hy_v3": Family(SPARSE),
    "hy_v4": Family(SPARSE, router="grouped_topk"),
    "bailing_hybrid": Family(SPARSE, router="grouped_topk"),
    "kimi_linear": Family(SPARSE, router="grouped_topk"),
    "deepseek_ocr2_text": Family(SPARSE, model="deepseek_ocr2.DeepseekOcr2TextModel"),
    "unlimited_ocr_text": Family(SPARSE, model="unlimited_ocr.UnlimitedOcrTextModel"),
    "ernie4_5_vl_moe_text": Family(
        {
            **SPARSE,
            "moe_intermediate_size": [24, 16],
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [1, 1, 2],
            },
        },
        model="ernie4_5_vl_moe.Ernie4_5_VLMoeTextModel",
    ),
    "lfm2_moe": Family(FULL),
    "flint": Family({**FULL, "mlp_only_layers": []}),
    "gemma4_text": Family(
        {
            **FULL,
            "enable_moe_block": True,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": 64,
        }
    ),
    "diffusion_gemma_text": Family(FULL, model="diffusion_gemma.DiffusionGemmaEncoderTextModel"),
    "glm4v_moe_text": Family(
        {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.5,
                "mrope_section": [1, 1, 0],
            }
        },
        router="grouped_topk",
    ),
    "granitemoehybrid": Family({"layer_types": ["attention"]}),
    "deepseek_v4": Family(
        {
            "layer_types": ["sliding_attention", "sliding_attention"],
            "mlp_layer_types": ["hash_moe", "moe"],
            "num_hidden_layers": 2,
            "num_key_value_heads": 1,
            "o_groups": 2,
            "o_lora_rank": 8,
            "hc_mult": 2,
        },
        router="token_table",
    ),
    "dbrx": Family(
        {
            "d_model": 32,
            "n_heads": 4,
            "n_layers": 1,
            "max_seq_len": 64,
            "attn_config": {"kv_n_heads": 2, "attn_pdrop": 0.0, "clip_qkv": 8.0},
            "ffn_config": {
                "ffn_hidden_size": 24,
                "moe_num_experts": 8,
                "moe_top_k": 2,
                "hidden_size": 32,
            },
        }
    ),
    "inkling_text": Family(SPARSE, router="shared_sum"),
    "inkling2_text": Family(SPARSE),
    "jamba": Family(
        {
            "attn_layer_period": 1,
            "attn_layer_offset": 0,
            "expert_layer_period": 1,
            "expert_layer_offset": 0,
        }
    ),
    "llama4_text": Family(
        {"intermediate_size_mlp": 48, "interleave_moe_layer_step": 1}, router="weighted_input"
    ),
    "longcat_flash": Family(
        {
            "num_layers": 1,
            "num_hidden_layers": 2,
            "num_key_value_heads": 4,
            "head_dim": 8,
            "ffn_hidden_size": 48,
            "moe_topk": 2,
            "zero_expert_num": 2,
            "expert_ffn_hidden_size": 24,
        },
        router="skipping",
    ),
    "minimax_m3_vl_text": Family({**SPARSE, "dense_intermediate_size": 40, "rotary_dim": 4}),
    "muse_spark_text": Family(
        {**SPARSE, **FULL, "moe_hidden_size": 16, "layer_rope_theta": [10000.0]}
    ),
    "nemotron_h": Family(
        {"layers_block_type": ["moe", "full_attention"], "moe_shared_expert_intermediate_size": 40},
        router="grouped_topk",
    ),
    "qwen3_5_moe_text": Family(FULL),
    "qwen3_next": Family(FULL),
    "qwen3_omni_moe_text": Family(model="qwen3_omni_moe.Qwen3OmniMoeThinkerTextModel"),
    "qwen3_vl_moe_text": Family(),
    "qwen3_omni_moe_talker_text": Family(
        {"shared_expert_intermediate_size": 40}, model="qwen3_omni_moe.Qwen3OmniMoeTalkerModel"
    ),
    "step3p7_text": Family(
        {**SPARSE, **FULL, "share_expert_dim": 40}, model="step3p7.Step3p7TextModel"
    ),
    "glm5_next_text": Family(
        {
            **SPARSE,
            "num_key_value_heads": 4,
            "qk_rope_head_dim": 0,
            "index_kpool": 2,
            "layer_types": ["indexed_attention"],
            "hc_mult": 2,
            "linear_head_dim": 8,
            "linear_num_heads": 2,
        },
        router="grouped_topk",
    ),
    "switch_transformers": Family(
        {
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 24,
            "num_layers": 1,
            "num_sparse_encoder_layers": 1,
            "num_decoder_layers": 1,
            "num_sparse_decoder_layers": 1,
            "num_heads": 4,
            "expert_capacity": 4,
            "decoder_start_token_id": 0,
            "encoder_sparse_step": 1,
            "decoder_sparse_step": 1,
        },
        model="switch_transformers.SwitchTransformersForConditionalGeneration",
        router="capacity",
        encoder_decoder=True,
    ),
    "nllb-moe": Family(
        {
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 24,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_sparse_step": 1,
            "decoder_sparse_step": 1,
            "expert_capacity": 4,
        },
        model="nllb_moe.NllbMoeForConditionalGeneration",
        router="",
        encoder_decoder=True,
    ),
    "zaya": Family(
        {
            "num_experts": 8,
            "num_experts_per_tok": 1,
            "num_hidden_layers": 2,
            "router_hidden_size": 16,
            "layer_types": ["hybrid", "hybrid"],
        },
        router="skipping",
    ),
}


def block_of(family: str) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """Return a model's first layer of experts with its router, and what it is called with."""
    model = whole(family)
    experts = next(
        n for n, m in model.named_modules() if n.endswith(("experts", ".mlp.input_linear"))
    )
    block = model.get_submodule(experts.rpartition(".")[0])
    seen: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    handle = block.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append((args, kwargs)), with_kwargs=True
    )
    with torch.no_grad():
        model(tokens())
    handle.remove()
    return block, *seen[0]


def whole(family: str) -> nn.Module:
    """Return a model of one layer (two where families mix them) that maps ids to logits."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    entry = FAMILIES[family]
    config = _config(family, entry.options)
    torch.manual_seed(0)
    made = _class(family, entry.model)._from_config(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            norm = parameter.dim() == 1 and "norm" in name
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2 + norm)
        for name, buffer in made.named_buffers():
            if "bias" in name and buffer.is_floating_point():
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.2)
            if "tid2eid" in name:
                rows = [torch.randperm(8, generator=generator)[: buffer.shape[1]] for _ in buffer]
                buffer.copy_(torch.stack(rows))
    return (Translator if entry.encoder_decoder else Logits)(made.float().eval())


def tokens(count: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 64, (1, count), generator=generator)


class Logits(nn.Module):
    """Token ids [B, T] -> logits or hidden states [B, T, ...]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        takes_ids = hasattr(model, "get_input_embeddings") and _embeds(model)
        self.table = None if takes_ids else nn.Embedding(64, 32)
        self.export_options = {"input_names": ["input_ids"], "output_names": ["logits"]}

    def forward(self, input_ids: Tensor) -> Tensor:
        given = {"input_ids": input_ids}
        if self.table is not None:
            given = {"inputs_embeds": self.table(input_ids)}
        made = self.model(**given, use_cache=False)
        return made.logits if hasattr(made, "logits") else made.last_hidden_state


class Translator(Logits):
    """Of an encoder and a decoder, both reading the same ids."""

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.model(
            input_ids=input_ids, decoder_input_ids=input_ids, use_cache=False,
            attention_mask=torch.ones_like(input_ids),
        ).logits  # fmt: skip


def _embeds(model: Any) -> bool:
    return "Talker" not in type(model).__name__


def _config(family: str, options: dict[str, Any]) -> Any:
    if family == "step3p7_text":  # its model_type is another's
        from transformers.models.step3p7.configuration_step3p7 import Step3p7TextConfig as Made
    else:
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING

        Made = CONFIG_MAPPING[family]
    known = {name: value for name, value in SIZES.items() if hasattr(Made, name)}
    if "qk_rope_head_dim" in known:  # latent attention: as many keys as queries
        known["num_key_value_heads"] = 4
        if family not in ("dots3_note_text", "deepseek_v4"):
            known.pop("head_dim", None)
    config = Made(**{**known, **options})
    if family == "dbrx":  # reads it from where its configuration does not have it
        config.attn_config.rope_theta = 10000.0
    return config


def _class(family: str, model: str) -> Any:
    import transformers
    from transformers.models.auto import modeling_auto as auto

    if model:
        package, _, name = model.partition(".")
        return getattr(
            importlib.import_module(f"transformers.models.{package}.modeling_{package}"), name
        )
    names = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return getattr(transformers, names.get(family) or auto.MODEL_MAPPING_NAMES[family])
