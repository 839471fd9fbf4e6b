"""MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601, equation 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class Block(nn.Module):
    """x += W2 gelu(W1 norm(x)) over the tokens, then the same over the channels."""

    def __init__(self, tokens: int, channels: int, token_hidden: int, channel_hidden: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(channels), nn.LayerNorm(channels)])
        self.token = self._mlp(tokens, token_hidden)
        self.channel = self._mlp(channels, channel_hidden)

    @staticmethod
    def _mlp(width: int, hidden: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, C] to [B, T, C]."""
        x = x + self.token(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        y: Tensor = x + self.channel(self.norms[1](x))
        return y


class MlpMixer(nn.Module):
    """Patches of 4 x 4, two blocks, the mean over the tokens, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 4, stride=4)
        self.blocks = nn.Sequential(*(Block(9, 24, 14, 40) for _ in range(2)))
        self.norm = nn.LayerNorm(24)
        self.head = nn.Linear(24, 5)

    def forward(self, image: Tensor) -> Tensor:
        """Map images [B, 3, 12, 12] to scores [B, 5]."""
        x = self.stem(image).flatten(2).transpose(1, 2)
        y: Tensor = self.head(self.norm(self.blocks(x)).mean(1))
        return y


def make() -> Made:
    """Return the model and two images."""
    return randomise(MlpMixer()), (noise(2, 3, 12, 12),)


_FOUND = (
    {"subject": "mixer", "form": "token_mlp", "tokens": 9, "hidden": 14},
    {"subject": "mixer", "form": "channel_mlp", "channels": 24, "hidden": 40},
)
CASES = (Case("mlp_mixer", make, found=_FOUND * 2, dynamic=({0: torch.export.Dim("batch")},)),)
