"""A decoder-only character language model with a functional KV cache, open in its feed-forward.

Pre-norm blocks with RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467); the logits share the weights
of the embedding (Press & Wolf 2016, arXiv 1608.05859).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.attention import Attention, Cache, DecoderConfig, rotary_table
from edgemoe.models.vocabulary import CHARACTERS, encode

_STATES = ("position", "k_cache_0", "v_cache_0", "k_cache_1", "v_cache_1")
EXPORT_OPTIONS: dict[str, Any] = {
    "input_names": ["tokens", *_STATES],
    "output_names": ["logits", *(f"{name}_out" for name in _STATES)],
    "dynamic_shapes": ({0: "T"}, None, None, None, None, None),
    "states": {name: f"{name}_out" for name in _STATES},
    "vocabulary": CHARACTERS,
}


class Block(nn.Module):
    """x += attention(norm(x)); x += feed_forward(norm(x))."""

    def __init__(self, config: DecoderConfig, feed_forward: nn.Module) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.hidden, eps=1e-6)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.RMSNorm(config.hidden, eps=1e-6)
        self.feed_forward = feed_forward

    def forward(self, x: Tensor, table: Tensor, cache: Cache | None) -> tuple[Tensor, ...]:
        """Map x [.., T, H] to the same shape; return it with the updated k and v of the cache."""
        attended, k, v = self.attention(self.attention_norm(x), table, cache)
        x = x + attended
        return x + self.feed_forward(self.feed_forward_norm(x)), k, v


class Decoder(nn.Module):
    """Two blocks between a token embedding and the logits, which share their weights.

    `feed_forward` makes the feed-forward of one block: a module that maps [.., H] to the same.
    """

    def __init__(self, config: DecoderConfig, feed_forward: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.hidden)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.blocks = nn.ModuleList(Block(config, feed_forward()) for _ in range(2))
        self.norm = nn.RMSNorm(config.hidden, eps=1e-6)
        self.rotary: Tensor
        table = rotary_table(config.capacity, config.head)
        self.register_buffer("rotary", table, persistent=False)
        self.export_options = EXPORT_OPTIONS

    def forward(
        self,
        tokens: Tensor,
        position: Tensor,
        k_cache_0: Tensor,
        v_cache_0: Tensor,
        k_cache_1: Tensor,
        v_cache_1: Tensor,
    ) -> tuple[Tensor, ...]:
        """Read T more tokens.

        tokens int64 [T], position int64 [1] (how many tokens the caches hold), and for each block
        k_cache, v_cache float32 [C, Hkv, D] -> logits float32 [T, V], position + T, new caches.
        """
        rows = position + torch.arange(tokens.shape[0])
        mask = torch.arange(self.config.capacity)[None, :] <= rows[:, None]
        table = self.rotary[rows]
        x = self.embedding(tokens)
        updated: list[Tensor] = []
        caches = ((k_cache_0, v_cache_0), (k_cache_1, v_cache_1))
        for block, (k_cache, v_cache) in zip(self.blocks, caches, strict=True):
            x, k, v = block(x, table, Cache(k_cache, v_cache, rows, mask))
            updated += (k, v)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return logits, position + tokens.shape[0], *updated

    def score(self, tokens: Tensor) -> Tensor:
        """Map whole sequences, int64 [B, T], to logits [B, T, V] without a cache, for training."""
        table = self.rotary[: tokens.shape[1]]
        x = self.embedding(tokens)
        for block in self.blocks:
            x, _, _ = block(x, table, None)
        return F.linear(self.norm(x), self.embedding.weight)

    def example(self, text: str) -> tuple[Tensor, ...]:
        """Return the inputs that read `text` from empty caches."""
        shape = (self.config.capacity, self.config.kv_heads, self.config.head)
        # Four tensors, not one four times: the exporter would take that for a single input.
        caches = tuple(torch.zeros(shape) for _ in range(4))
        return encode(text), torch.zeros(1, dtype=torch.int64), *caches
