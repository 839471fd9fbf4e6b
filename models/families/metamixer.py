"""FFNet of MetaMixer (Yun et al. 2024, arXiv 2406.02021): a convolution as query-key-value."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class Block(nn.Module):
    """x += value(gelu(BN(key(query(x))))): key and value are depthwise with large kernels."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.query = nn.Conv2d(channels, wide, 1)
        self.key, self.value = (
            nn.Conv2d(wide, wide, kernel, padding=kernel // 2, groups=wide) for _ in range(2)
        )
        self.project = nn.Conv2d(2 * channels, channels, 1)
        self.norm, self.ffn_norm = nn.BatchNorm2d(2 * channels), nn.BatchNorm2d(channels)
        self.up, self.down = nn.Conv2d(channels, 20, 1), nn.Conv2d(20, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C, H, W]."""
        scores = F.gelu(self.norm(self.key(self.query(x))))
        x = x + self.project(self.value(scores))
        y: Tensor = x + self.down(F.gelu(self.up(self.ffn_norm(x))))
        return y


def make() -> Made:
    """Return a block and the features of two images."""
    return randomise(Block(6, 7)), (noise(2, 6, 9, 10),)


_CONV = {"subject": "mixer", "form": "depthwise_conv", "kernel": [7, 7], "channels": 12}
_MLP = {"subject": "mixer", "form": "channel_mlp", "channels": 6, "hidden": 20}
_BATCH = ({0: torch.export.Dim("batch")},)
CASES = (Case("metamixer", make, found=(_CONV, _CONV, _MLP), dynamic=_BATCH),)
