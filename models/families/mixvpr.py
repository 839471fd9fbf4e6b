"""MixVPR (Ali-bey et al. 2023, arXiv 2303.02190, section 3): features of a place from a map."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class FeatureMixer(nn.Module):
    """x += W2 relu(W1 norm(x)) over the flattened places of each channel."""

    def __init__(self, places: int, ratio: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.LayerNorm(places), nn.Linear(places, places * ratio), nn.ReLU(),
            nn.Linear(places * ratio, places),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, P] to [B, C, P]."""
        y: Tensor = x + self.mix(x)
        return y


class MixVPR(nn.Module):
    """Mixers, a projection of channels, one of places, and the length taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.mixers = nn.Sequential(FeatureMixer(20, 2), FeatureMixer(20, 2))
        self.channels, self.places = nn.Linear(12, 6), nn.Linear(20, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, 12, 4, 5] to descriptors [B, 18]."""
        x = self.mixers(features.flatten(2))
        x = self.channels(x.permute(0, 2, 1)).permute(0, 2, 1)
        return F.normalize(self.places(x).flatten(1), p=2.0, dim=-1)


def make() -> Made:
    """Return the head and two feature maps."""
    return randomise(MixVPR()), (noise(2, 12, 4, 5),)


_MLP = {"subject": "mixer", "form": "token_mlp", "tokens": 20, "hidden": 40}
_LINEAR = {"subject": "mixer", "form": "token_linear", "tokens": 20, "out": 3}
CASES = (
    Case("mixvpr", make, found=(_MLP, _MLP, _LINEAR),
         dynamic=({0: torch.export.Dim("batch")},)),
)  # fmt: skip
