"""A decoder-only character language model with a functional KV cache, open in its feed-forward.

Pre-norm blocks of grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245) with rotary
positions (Su et al. 2021, arXiv 2104.09864) and RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.vocabulary import CHARACTERS, encode


_STATES = ("position", "k_cache_0", "v_cache_0", "k_cache_1", "v_cache_1")
EXPORT_OPTIONS: dict[str, Any] = {
    "input_names": ["tokens", *_STATES],
    "output_names": ["logits", *(f"{name}_out" for name in _STATES)],
    "dynamic_shapes": ({0: "T"}, None, None, None, None, None),
    "states": {name: f"{name}_out" for name in _STATES},
    "vocabulary": CHARACTERS,
}


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the backbone; the capacity C is how many tokens a cache can hold."""

    hidden: int = 128
    query_heads: int = 4
    kv_heads: int = 2
    capacity: int = 256
    vocabulary: int = len(CHARACTERS)

    @property
    def head(self) -> int:
        """Width D of one attention head."""
        return self.hidden // self.query_heads


def rotary_table(capacity: int, width: int) -> Tensor:
    """Return cosines and sines of the rotary angles, float32 [capacity, 2, width / 2]."""
    speed = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(capacity)[:, None] * speed
    return torch.stack((angle.cos(), angle.sin()), dim=1)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn the two halves of each head of x [.., T, heads, D] by the angles of table [T, 2, D/2]."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = table[:, None, 0], table[:, None, 1]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Attention(nn.Module):
    """Grouped-query attention: query head h reads key/value head h // (query_heads / kv_heads)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        kv = config.kv_heads * config.head
        self.query = nn.Linear(config.hidden, config.hidden, bias=False)
        self.key = nn.Linear(config.hidden, kv, bias=False)
        self.value = nn.Linear(config.hidden, kv, bias=False)
        self.out = nn.Linear(config.hidden, config.hidden, bias=False)

    def project(self, x: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map x [.., T, H] to rotated queries [.., T, Hq, D], keys and values [.., T, Hkv, D]."""
        heads = (-1, self.config.head)
        q, k = self.query(x).unflatten(-1, heads), self.key(x).unflatten(-1, heads)
        return rotate(q, table), rotate(k, table), self.value(x).unflatten(-1, heads)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Attend q [.., T, Hq, D] to k, v [.., S, Hkv, D] under mask [T, S]; None is causal."""
        groups = self.config.query_heads // self.config.kv_heads
        q = q.transpose(-3, -2)
        k, v = (a.transpose(-3, -2).repeat_interleave(groups, dim=-3) for a in (k, v))
        if mask is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = torch.matmul(q, k.transpose(-2, -1)) * self.config.head**-0.5
            y = torch.matmul(scores.masked_fill(~mask, -1e9).softmax(dim=-1), v)
        return self.out(y.transpose(-3, -2).flatten(-2))


class Block(nn.Module):
    """x += attention(norm(x)); x += feed_forward(norm(x))."""

    def __init__(self, config: DecoderConfig, feed_forward: nn.Module) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.hidden, eps=1e-6)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.RMSNorm(config.hidden, eps=1e-6)
        self.feed_forward = feed_forward


class Decoder(nn.Module):
    """Two blocks between a token embedding and the logits, which share their weights.

    `feed_forward` makes the feed-forward of one block: a module that maps [N, H] to [N, H].
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
            q, k, v = block.attention.project(block.attention_norm(x), table)
            k, v = k_cache.index_put((rows,), k), v_cache.index_put((rows,), v)
            x = x + block.attention.attend(q, k, v, mask)
            x = x + block.feed_forward(block.feed_forward_norm(x))
            updated += (k, v)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return logits, position + tokens.shape[0], *updated

    def score(self, tokens: Tensor) -> Tensor:
        """Map whole sequences, int64 [B, T], to logits [B, T, V] without a cache, for training."""
        batch, table = tokens.shape, self.rotary[: tokens.shape[1]]
        x = self.embedding(tokens)
        for block in self.blocks:
            q, k, v = block.attention.project(block.attention_norm(x), table)
            x = x + block.attention.attend(q, k, v, None)
            y = block.feed_forward(block.feed_forward_norm(x).flatten(0, 1))
            x = x + y.unflatten(0, batch)
        return F.linear(self.norm(x), self.embedding.weight)

    def example(self, text: str) -> tuple[Tensor, ...]:
        """Return the inputs that read `text` from empty caches."""
        cache = torch.zeros(self.config.capacity, self.config.kv_heads, self.config.head)
        return encode(text), torch.zeros(1, dtype=torch.int64), cache, cache, cache, cache
