"""ResMLP (Touvron et al. 2021, arXiv 2105.03404, equations 1 to 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class Affine(nn.Module):
    """alpha * x + beta: what ResMLP has in the place of a norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., C] to [.., C]."""
        return self.alpha * x + self.beta


class Block(nn.Module):
    """z = x + s1 * A(linear over tokens of Aff(x)); y = z + s2 * MLP(Aff(z))."""

    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.before, self.between = Affine(channels), Affine(channels)
        self.cross = nn.Linear(tokens, tokens)
        self.scale1 = nn.Parameter(torch.ones(channels))
        self.scale2 = nn.Parameter(torch.ones(channels))
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, C] to [B, T, C]."""
        crossed = self.cross(self.before(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.scale1 * crossed
        y: Tensor = x + self.scale2 * self.mlp(self.between(x))
        return y


def make() -> Made:
    """Return two blocks and the tokens of two images."""
    return randomise(nn.Sequential(Block(9, 16), Block(9, 16))), (noise(2, 9, 16),)


_FOUND = (
    {"subject": "mixer", "form": "token_linear", "tokens": 9},
    {"subject": "mixer", "form": "channel_mlp", "channels": 16, "hidden": 64},
)
CASES = (Case("resmlp", make, found=_FOUND * 2, dynamic=({0: torch.export.Dim("batch")},)),)
