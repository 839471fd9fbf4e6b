"""Grouped-query attention with rotary positions, the part of the decoder that owns the caches.

Grouped queries: Ainslie et al. 2023, arXiv 2305.13245. Rotary positions: Su et al. 2021,
arXiv 2104.09864, in the form that turns the two halves of a head.
"""

from __future__ import annotations

from dataclasses import dataclass

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
