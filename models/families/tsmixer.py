"""TSMixer for time series (Chen et al. 2023, arXiv 2303.06053, section 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class Block(nn.Module):
    """x += relu(W_time norm(x)); x += MLP over features of norm(x)."""

    def __init__(self, steps: int, features: int, hidden: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm1d(steps * features) for _ in range(2)])
        self.time = nn.Linear(steps, steps)
        self.up, self.down = nn.Linear(features, hidden), nn.Linear(hidden, features)

    def _norm(self, index: int, x: Tensor) -> Tensor:
        y: Tensor = self.norms[index](x.flatten(1)).view(x.shape)
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, C] to [B, L, C]."""
        x = x + F.relu(self.time(self._norm(0, x).transpose(1, 2))).transpose(1, 2)
        y: Tensor = x + self.down(F.relu(self.up(self._norm(1, x))))
        return y


class TSMixer(nn.Module):
    """Two blocks and the temporal projection to the horizon."""

    def __init__(self, steps: int = 16, horizon: int = 6, features: int = 7) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(steps, features, 20) for _ in range(2)))
        self.projection = nn.Linear(steps, horizon)

    def forward(self, series: Tensor) -> Tensor:
        """Map [B, L, C] to [B, P, C]."""
        x = self.blocks(series)
        y: Tensor = self.projection(x.transpose(1, 2)).transpose(1, 2)
        return y


def make() -> Made:
    """Return the forecaster and two windows."""
    return randomise(TSMixer()), (noise(2, 16, 7),)


_BLOCK = (
    {"subject": "mixer", "form": "token_linear", "tokens": 16, "out": 16},
    {"subject": "mixer", "form": "channel_mlp", "channels": 7, "hidden": 20},
)
_HEAD = {"subject": "mixer", "form": "token_linear", "tokens": 16, "out": 6}
CASES = (
    Case("tsmixer", make, found=(*_BLOCK * 2, _HEAD), dynamic=({0: torch.export.Dim("batch")},)),
)
