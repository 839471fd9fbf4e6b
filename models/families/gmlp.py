"""gMLP (Liu et al. 2021, arXiv 2105.08050, section 2): the spatial gating unit in both writings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class Block(nn.Module):
    """z = gelu(x U); u, v = split(z); y = x + (u * (W norm(v) + b)) V."""

    def __init__(self, tokens: int, channels: int, hidden: int, *, by_conv: bool) -> None:
        super().__init__()
        self.norm, self.gate_norm = nn.LayerNorm(channels), nn.LayerNorm(hidden // 2)
        self.up, self.down = nn.Linear(channels, hidden), nn.Linear(hidden // 2, channels)
        self.by_conv = by_conv
        self.space = nn.Conv1d(tokens, tokens, 1) if by_conv else nn.Linear(tokens, tokens)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, C] to [B, T, C]."""
        u, v = F.gelu(self.up(self.norm(x))).chunk(2, dim=-1)
        v = self.gate_norm(v)
        v = self.space(v) if self.by_conv else self.space(v.transpose(1, 2)).transpose(1, 2)
        y: Tensor = x + self.down(u * v)
        return y


def _make(by_conv: bool) -> Made:
    return randomise(Block(9, 16, 24, by_conv=by_conv)), (noise(2, 9, 16),)


_FOUND = ({"subject": "mixer", "form": "spatial_gate", "tokens": 9},)
_BATCH = ({0: torch.export.Dim("batch")},)
CASES = (
    Case("gmlp", lambda: _make(False), found=_FOUND, dynamic=_BATCH),
    Case("gmlp_conv", lambda: _make(True), found=_FOUND, dynamic=_BATCH),
)
