"""ConvMixer (Trockman and Kolter 2022, arXiv 2201.09792, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class Block(nn.Module):
    """z = x + BN(gelu(depthwise(x))); y = BN(gelu(pointwise(z)))."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, groups=channels, padding="same")
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)])
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C, H, W]."""
        x = x + self.norms[0](self.act(self.depthwise(x)))
        y: Tensor = self.norms[1](self.act(self.pointwise(x)))
        return y


def make() -> Made:
    """Return a stem with two blocks and a classifier, and two images."""
    stem = [nn.Conv2d(3, 12, 2, stride=2), nn.GELU(), nn.BatchNorm2d(12)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5)]
    model = nn.Sequential(*stem, Block(12, 5), Block(12, 5), *head)
    return randomise(model), (noise(2, 3, 14, 14),)


_FOUND = ({"subject": "mixer", "form": "depthwise_conv", "kernel": [5, 5], "channels": 12},)
CASES = (Case("convmixer", make, found=_FOUND * 2, dynamic=({0: torch.export.Dim("batch")},)),)
