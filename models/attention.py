"""Grouped-query attention with rotary positions, the part of the decoder that owns the caches.

Grouped queries: Ainslie et al. 2023, arXiv 2305.13245. Rotary positions: Su et al. 2021,
arXiv 2104.09864, in the form that turns the two halves of a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.vocabulary import CHARACTERS


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
    """Turn the halves of each head of x [.., T, heads, D] by the angles of table [T, 2, D/2]."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = table[:, None, 0], table[:, None, 1]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Cache(NamedTuple):
    """Keys and values [C, Hkv, D] so far, the rows [T] to write, and who may read: [T, C]."""

    k: Tensor
    v: Tensor
    rows: Tensor
    mask: Tensor


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

    def forward(self, x: Tensor, table: Tensor, cache: Cache | None) -> tuple[Tensor, ...]:
        """Attend x [.., T, H] to what came before it; return it with all keys and values.

        Without a cache x is the whole sequence. With one, x is [T, H], its keys and values are
        written to the cache, and the whole capacity is read under the mask.
        """
        q, k, v = self.project(x, table)
        if cache is None:
            y = F.scaled_dot_product_attention(*self.heads(q, k, v), is_causal=True)
        else:
            k, v = cache.k.index_put((cache.rows,), k), cache.v.index_put((cache.rows,), v)
            query, key, value = self.heads(q, k, v)
            scores = torch.matmul(query, key.transpose(-2, -1)) * self.config.head**-0.5
            weights = scores.masked_fill(~cache.mask, -1e9).softmax(dim=-1)
            y = torch.matmul(weights, value)
        return self.out(y.transpose(-3, -2).flatten(-2)), k, v

    def heads(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bring the heads before the tokens and repeat keys and values for each query head."""
        groups = self.config.query_heads // self.config.kv_heads
        k, v = (a.transpose(-3, -2).repeat_interleave(groups, dim=-3) for a in (k, v))
        return q.transpose(-3, -2), k, v
