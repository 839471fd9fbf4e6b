"""PoolFormer (Yu et al. 2022, arXiv 2111.11418, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class Block(nn.Module):
    """x += s1 (pool(norm(x)) - norm(x)); x += s2 MLP(norm(x)), with pointwise convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(1, channels), nn.GroupNorm(1, channels)])
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.up = nn.Conv2d(channels, 4 * channels, 1)
        self.down = nn.Conv2d(4 * channels, channels, 1)
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(channels)) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C, H, W]."""
        y = self.norms[0](x)
        x = x + self.scales[0][:, None, None] * (self.pool(y) - y)
        y = self.down(nn.functional.gelu(self.up(self.norms[1](x))))
        result: Tensor = x + self.scales[1][:, None, None] * y
        return result


def make() -> Made:
    """Return two blocks and the features of two images."""
    return randomise(nn.Sequential(Block(8), Block(8))), (noise(2, 8, 7, 9),)


_FOUND = (
    {"subject": "mixer", "form": "pooling", "kernel": [3, 3]},
    {"subject": "mixer", "form": "channel_mlp", "channels": 8, "hidden": 32},
)
CASES = (Case("poolformer", make, found=_FOUND * 2, dynamic=({0: torch.export.Dim("batch")},)),)
