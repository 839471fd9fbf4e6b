"""iTransformer (Liu et al. 2024, arXiv 2310.06625): attention over variates, no mixer at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

STEPS, HORIZON, VARIATES, WIDTH, HEADS = 12, 5, 7, 16, 2


class Layer(nn.Module):
    """Attention between the variates' tokens, then a feed-forward layer, each normalised after."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.up, self.down = nn.Linear(WIDTH, 24), nn.Linear(24, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, N, D] to [B, N, D]."""
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2)
                   for part in self.qkv(x).chunk(3, dim=-1))  # fmt: skip
        weights = torch.softmax(q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5, dim=-1)
        x = self.norms[0](x + self.out((weights @ v).transpose(1, 2).flatten(2)))
        y: Tensor = self.norms[1](x + self.down(F.gelu(self.up(x))))
        return y


class ITransformer(nn.Module):
    """Each variate's window is one token."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(STEPS, WIDTH), nn.Linear(WIDTH, HORIZON)
        self.layers = nn.Sequential(Layer(), Layer())

    def forward(self, series: Tensor) -> Tensor:
        """Map [B, L, N] to [B, P, N]."""
        y: Tensor = self.head(self.layers(self.embed(series.transpose(1, 2)))).transpose(1, 2)
        return y


def make() -> Made:
    """Return the forecaster and two windows."""
    return randomise(ITransformer()), (noise(2, STEPS, VARIATES),)


CASES = (Case("itransformer", make, dynamic=({0: torch.export.Dim("batch")},)),)
