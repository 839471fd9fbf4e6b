"""PoNet (Tan et al. 2022, arXiv 2110.02442, section 3): pooling at three grains."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

LENGTH, WIDTH, SEGMENT = 12, 16, 4


class PoNet(nn.Module):
    """Global attention to a mean query, maxima of segments, and maxima of neighbours."""

    def __init__(self) -> None:
        super().__init__()
        names = ("query", "key", "value", "segment", "outside", "local")
        self.projections = nn.ModuleDict({name: nn.Linear(WIDTH, WIDTH) for name in names})
        self.pool = nn.MaxPool1d(3, stride=1, padding=1)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, C] to [B, L, C]."""
        parts = {name: layer(x) for name, layer in self.projections.items()}
        query = parts["query"].mean(1, keepdim=True)
        scores = torch.softmax(query @ parts["key"].transpose(1, 2) / WIDTH**0.5, dim=-1)
        everything = scores @ parts["value"]
        segments = (
            parts["segment"].unflatten(1, (-1, SEGMENT)).amax(2).repeat_interleave(SEGMENT, 1)
        )
        neighbours = self.pool(parts["local"].transpose(1, 2)).transpose(1, 2)
        y: Tensor = self.norm(
            x + everything * parts["outside"] + segments * parts["outside"] + neighbours
        )
        return y


def make() -> Made:
    """Return a layer and two sequences."""
    return randomise(PoNet()), (noise(2, LENGTH, WIDTH),)


_FOUND = ({"subject": "mixer", "form": "pooling", "kernel": [3]},)
CASES = (Case("ponet", make, found=_FOUND, dynamic=({0: torch.export.Dim("batch")},)),)
