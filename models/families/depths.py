"""Layers that run for some tokens, or stop early.

Mixture of depths (Raposo et al. 2024, arXiv 2404.02258, section 3), by a fixed number of tokens or by
a threshold; early exits (BranchyNet, Teerapittayanon et al. 2017) as several outputs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, I, CAPACITY = 8, 16, 12, 3


class FFN(nn.Module):
    """down(gelu(up(norm(x))))."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(H), nn.Linear(H, I), nn.Linear(I, H)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same."""
        y: Tensor = self.down(F.gelu(self.up(self.norm(x))))
        return y


class Block(nn.Module):
    """Attention and a feed-forward: tokens see each other."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out, self.ffn = nn.Linear(H, 3 * H), nn.Linear(H, H), FFN()

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, H] to the same."""
        q, k, v = self.qkv(x).chunk(3, -1)
        x = x + self.out(torch.softmax(q @ k.transpose(1, 2) * H**-0.5, -1) @ v)
        y: Tensor = x + self.ffn(x)
        return y


class TopTokens(nn.Module):
    """The best tokens of a sequence go through the block, the others around it."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.block = nn.Linear(H, 1, bias=False), Block()

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, H] to the same."""
        weights, tokens = self.router(x)[..., 0].topk(CAPACITY, dim=-1)
        tokens, order = tokens.sort(-1)
        weights = weights.gather(-1, order)
        index = tokens[..., None].expand(-1, -1, H)
        y = self.block(x.gather(1, index)) * torch.sigmoid(weights)[..., None]
        return x.scatter_add(1, index, y)


class Threshold(nn.Module):
    """Tokens whose score is above zero go through a feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.ffn = nn.Linear(H, 1), FFN()

    def mask(self, x: Tensor) -> Tensor:
        """Return bool [T]."""
        scores: Tensor = self.router(x)[:, 0]
        return scores > 0

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        rows = torch.where(self.mask(x))[0]
        return x.index_add(0, rows, self.ffn(x[rows]))


class Exits(nn.Module):
    """A classifier behind every block."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FFN() for _ in range(depth))
        self.heads = nn.ModuleList(nn.Linear(H, 5) for _ in range(depth))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map [T, H] to logits [T, 5] for each exit."""
        outputs = []
        for block, head in zip(self.blocks, self.heads, strict=True):
            x = x + block(x)
            outputs.append(head(x))
        return tuple(outputs)


def _make(layer: nn.Module, *shape: int) -> Made:
    return randomise(layer), (noise(*shape),)


def _above(module: nn.Module, x: Tensor) -> int:
    assert isinstance(module, Threshold)
    return int(module.mask(x).sum()) * 2 * H * I


CASES = (
    Case("mixture_of_depths", lambda: _make(TopTokens(), 2, T, H),
         ({"subject": "experts", "form": "token_subset", "k": CAPACITY, "T": T},)),
    Case("depths_by_threshold", lambda: _make(Threshold(), T, H),
         ({"subject": "experts", "E": 1},), _above, ({0: "T"},)),
    Case("early_exits", lambda: _make(Exits(), T, H),
         ({"subject": "exit", "form": "early_exit", "products": [3, 5, 7]},), None, ({0: "T"},)),
)  # fmt: skip
