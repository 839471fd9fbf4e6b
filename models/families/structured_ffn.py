"""Feed-forward layers with structured weights (Wei et al. 2024, arXiv 2406.16450, section 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise


class LowRank(nn.Module):
    """W = U V with a small dimension between."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.v, self.u = nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., in] to [.., out]."""
        y: Tensor = self.u(self.v(x))
        return y


class BlockDiagonal(nn.Module):
    """Block b of the output from block b of the input alone: weight [blocks, in, out]."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.weight = nn.Parameter(torch.empty(blocks, inputs // blocks, outputs // blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, in] to [T, out]."""
        parts = x.reshape(x.shape[0], self.blocks, -1).transpose(0, 1)
        return torch.bmm(parts, self.weight).transpose(0, 1).reshape(x.shape[0], -1)


class FeedForward(nn.Module):
    """norm, structured product, GELU, structured product, residual."""

    def __init__(self, up: nn.Module, down: nn.Module) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(24), up, down

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, 24] to [T, 24]."""
        y: Tensor = x + self.down(F.gelu(self.up(self.norm(x))))
        return y


def _low_rank() -> Made:
    return randomise(FeedForward(LowRank(24, 48, 6), LowRank(48, 24, 6))), (noise(5, 24),)


def _blocks() -> Made:
    model = FeedForward(BlockDiagonal(24, 48, 4), BlockDiagonal(48, 24, 4))
    return randomise(model), (noise(5, 24),)


_TOKENS = ({0: torch.export.Dim("tokens")},)
_RANK = {"subject": "mixer", "form": "low_rank", "rank": 6}
_BLOCKS = {"subject": "mixer", "form": "block_diagonal", "blocks": 4}
CASES = (
    Case("ffn_low_rank", _low_rank, found=(_RANK, _RANK), dynamic=_TOKENS),
    Case("ffn_block_diagonal", _blocks, found=(_BLOCKS, _BLOCKS), dynamic=_TOKENS),
)
