"""Capture the expert layers of transformers: its registry of experts, and those outside it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from edgemoe.capture import Adapter, Captured, Forward, of_class
from edgemoe.capture_lists import as_one_expert, expert_list
from edgemoe.capture_op import combine, expert_linear, rows_of

IMPLEMENTATION = "edgemoe"
"""The name for `model.set_experts_implementation`, known to transformers after `register()`."""


def experts_forward(module: Any, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    """Compute the experts of a layer that transformers decorates with use_experts_implementation.

    x [T,H], ids int [T,K], weights [T,K] -> [T,H]. Only the products are special; gate, activation
    and norm are the layer's own.
    """
    flat, transposed, biased = ids.reshape(-1), module.is_transposed, module.has_bias
    stem = "gate_up_proj" if module.has_gate else "up_proj"
    rows = rows_of(x, ids.shape[-1])
    bias = getattr(module, f"{stem}_bias") if biased else None
    inner = expert_linear(rows, flat, getattr(module, stem), bias, transposed=transposed)
    inner = module._apply_gate(inner) if module.has_gate else module.act_fn(inner)
    bias = module.down_proj_bias if biased else None
    y = expert_linear(inner, flat, module.down_proj, bias, transposed=transposed)
    if module.has_post_expert_norm:
        y = module.post_expert_norm(y)
    return combine(y, weights).to(x.dtype)


@functools.cache
def register() -> bool:
    """Make the implementation known to transformers, if it is there; tells whether it is."""
    try:
        from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
    except ImportError:
        return False
    ALL_EXPERTS_FUNCTIONS.register(IMPLEMENTATION, experts_forward)
    return True


def _in_registry(module: nn.Module) -> bool:
    needed = ("has_gate", "has_bias", "is_transposed", "has_post_expert_norm")
    return "transformers" in sys.modules and all(hasattr(module, name) for name in needed)


def _dbrx(module: Any, log: Captured) -> dict[str, Forward]:
    """The weights of all experts lie in one matrix [E * inner, H]."""
    shape = (module.num_experts, module.mlp.ffn_hidden_size, module.mlp.hidden_size)
    w1, v1, w2 = (
        log.view(module.mlp, f"{name}_experts", getattr(module.mlp, name).view(shape))
        for name in ("w1", "v1", "w2")
    )

    def forward(module: Any, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
        flat = ids.reshape(-1)
        rows = rows_of(x.reshape(-1, module.hidden_size), ids.shape[-1])
        gate = module.mlp.activation_fn(expert_linear(rows, flat, w1))
        y = expert_linear(gate * expert_linear(rows, flat, v1), flat, w2, transposed=True)
        return combine(y, weights).view(x.shape[0], -1, module.hidden_size)

    return {"forward": forward}


def _concatenated(module: Any, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    flat = ids.reshape(-1)
    inner = module._apply_gate(expert_linear(rows_of(x, ids.shape[1]), flat, module.gate_up_proj))
    return combine(expert_linear(inner, flat, module.down_proj), weights)


def _longcat(module: Any, log: Captured) -> dict[str, Forward] | None:
    """Ids from `num_routed_experts` on are experts that return their input.

    They are nobody's id for the products, with the weight 0, and add their share of the input.
    """
    count = module.num_routed_experts
    if module.gate_up_proj is None:
        return None
    both = log.view(module, "gate_up_proj_routed", module.gate_up_proj[:count])

    def forward(module: Any, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
        identity = ids >= count
        real, shares = ids.masked_fill(identity, -1), weights.masked_fill(identity, 0.0)
        flat = real.reshape(-1)
        gate, up = expert_linear(rows_of(x, ids.shape[1]), flat, both).chunk(2, dim=-1)
        y = expert_linear(module.act_fn(gate) * up, flat, module.down_proj)
        kept = (weights - shares).sum(dim=-1, keepdim=True)
        return combine(y, shares) + x * kept.to(x.dtype)

    return {"forward": forward}


def _jetmoe_route(router: Any, flat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    logits = router.layer(flat).float()
    top, ids = logits.topk(router.top_k, dim=1)
    return torch.softmax(top, dim=1).type_as(flat), ids, logits


def _jetmoe(module: Any, x: Tensor) -> Tensor:
    flat = x.reshape(-1, x.shape[-1])
    weights, ids, _ = _jetmoe_route(module.router, flat)
    each, chosen = ids.reshape(-1), ids.shape[1]
    gate, up = expert_linear(rows_of(flat, chosen), each, module.input_linear.weight).chunk(2, -1)
    y = expert_linear(module.activation(gate) * up, each, module.output_linear.weight)
    return combine(y, weights).view(x.shape) + module.bias  # type: ignore[no-any-return]


def _jetmoe_map(module: Any, x: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    flat = x.reshape(-1, x.shape[-1])
    weights, ids, logits = _jetmoe_route(module.router, flat)
    rows = rows_of(flat, module.top_k)
    y = expert_linear(rows, ids.reshape(-1), module.input_linear.weight)
    return y.view(*x.shape[:2], module.top_k, -1), logits, (ids, weights)


def _jetmoe_reduce(module: Any, x: Tensor, routed: tuple[Tensor, Tensor]) -> Tensor:
    ids, weights = routed
    y = expert_linear(x.reshape(-1, x.shape[-1]), ids.reshape(-1), module.output_linear.weight)
    return combine(y, weights).view(*x.shape[:2], -1) + module.bias  # type: ignore[no-any-return]


def _llama4(module: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scores multiply the input of the experts, not their output."""
    flat = x.reshape(-1, module.hidden_dim)
    logits = torch.nn.functional.linear(flat, module.router.weight)
    top, ids = torch.topk(logits, module.top_k, dim=1)
    each = ids.reshape(-1)
    scores = torch.sigmoid(top.float()).to(flat.dtype).reshape(-1, 1)
    rows, experts = rows_of(flat, ids.shape[1]) * scores, module.experts
    gate, up = expert_linear(rows, each, experts.gate_up_proj, transposed=True).chunk(2, dim=-1)
    y = expert_linear(up * experts.act_fn(gate), each, experts.down_proj, transposed=True)
    return module.shared_expert(flat) + y.view(*ids.shape, -1).sum(dim=1), logits


def _llama4_angles(module: Any, x: Tensor, position_ids: Tensor) -> Tensor:
    """Return cosine and sine [B, T, D / 2, 2] in place of complex numbers, which ONNX lacks."""
    del x
    angles = position_ids[..., None].float() * module.inv_freq.float()
    scaling: float = module.attention_scaling
    return torch.stack([angles.cos(), angles.sin()], dim=-1) * scaling


def _llama4_rotate(q: Tensor, k: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    cosine, sine = table[..., 0][:, :, None, :], table[..., 1][:, :, None, :]

    def rotate(x: Tensor) -> Tensor:
        a, b = x.float()[..., ::2], x.float()[..., 1::2]
        pairs = torch.stack([a * cosine - b * sine, a * sine + b * cosine], dim=-1)
        return pairs.flatten(3).type_as(x)

    return rotate(q), rotate(k)


def _llama4_attention(module: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the layer's own forward, with the rotation above in the place of its module's."""
    source: Any = sys.modules[type(module).__module__]
    complex_rotation, source.apply_rotary_emb = source.apply_rotary_emb, _llama4_rotate
    try:
        return type(module).forward(module, *args, **kwargs)
    finally:
        source.apply_rotary_emb = complex_rotation


def _switch(module: nn.Module, log: Captured) -> dict[str, Forward] | None:
    experts = _stacked(module, log)
    if experts is None:
        return None

    def forward(self: nn.Module, x: Tensor, selected: Tensor, weights: Tensor) -> Tensor:
        """One expert per token; a token beyond the capacity has no one in its row."""
        kept = selected.sum(dim=-1).to(x.dtype)
        with as_one_expert(self, experts, selected.argmax(dim=-1).reshape(-1), log) as expert:
            return expert(x) * (weights * kept)  # type: ignore[no-any-return]

    return {"forward": forward}


def _nllb(module: Any, log: Captured) -> dict[str, Forward] | None:
    """Transformers takes the mask of the first choice, 0 or 1, for the number of an expert.

    So each token goes to experts 0 and 1, with the weights of the classes whose mask says so.
    """
    experts = _stacked(module, log)
    if experts is None:
        return None
    kept = 1.0 - module.moe_token_dropout

    def forward(module: Any, x: Tensor, mask: Tensor, shares: Tensor) -> Tensor:
        first = mask.to(shares.dtype)
        weights = torch.stack([(shares * (1 - first)).sum(-1), (shares * first).sum(-1)], dim=-1)
        ids = torch.arange(2).repeat(x.shape[0])
        with as_one_expert(module, experts, ids, log) as expert:
            return combine(expert(rows_of(x, 2)), weights.to(x.dtype) * kept)

    return {"forward": forward}


def _stacked(module: nn.Module, log: Captured) -> list[nn.Module] | None:
    """Stack the weights of a list of experts before anything is traced."""
    experts = expert_list(module)
    if experts is not None:
        with as_one_expert(module, experts, torch.zeros(1, dtype=torch.int64), log):
            pass
    return experts


def _fixed(**methods: Forward) -> Callable[[nn.Module, Captured], dict[str, Forward]]:
    return lambda module, log: dict(methods)


TRANSFORMERS = [
    Adapter("transformers experts", _in_registry, _fixed(forward=experts_forward)),
    Adapter("dbrx", of_class("DbrxExperts"), _dbrx),
    Adapter("step3p7", of_class("Step3p7Experts"), _fixed(forward=_concatenated)),
    Adapter("longcat", of_class("LongcatFlashExperts"), _longcat),
    Adapter("jetmoe", of_class("JetMoeMoE"), _fixed(forward=_jetmoe)),
    Adapter("jetmoe attention", of_class("JetMoeMoA"),
            _fixed(map=_jetmoe_map, reduce=_jetmoe_reduce)),
    Adapter("llama4", of_class("Llama4TextMoe"), _fixed(forward=_llama4)),
    Adapter("llama4 angles", of_class("Llama4TextRotaryEmbedding"),
            _fixed(forward=_llama4_angles)),
    Adapter("llama4 attention", of_class("Llama4TextAttention"),
            _fixed(forward=_llama4_attention)),
    Adapter("switch", of_class("SwitchTransformersExperts"), _switch),
    Adapter("nllb", of_class("NllbMoeExperts"), _nllb),
]  # fmt: skip
