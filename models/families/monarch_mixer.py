"""Monarch Mixer (Fu et al. 2023, arXiv 2310.12109, section 4): M2 with long convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

LENGTH, WIDTH = 12, 16


class BlockDiagonal(nn.Module):
    """y = block-diagonal product, then the blocks are interleaved (a Monarch factor)."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(blocks, outputs // blocks, inputs // blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, in] to [B, L, out]."""
        parts = x.unflatten(-1, (self.weight.shape[0], -1))
        return torch.einsum("blkp,kqp->blkq", parts, self.weight).transpose(-1, -2).flatten(-2)


class LongConv(nn.Module):
    """A causal convolution with one filter per channel, as long as the sequence."""

    def __init__(self, by_fft: bool) -> None:
        super().__init__()
        self.by_fft = by_fft
        self.filter = nn.Parameter(torch.empty(WIDTH, LENGTH))
        self.skip = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, C] to [B, L, C]."""
        u = x.transpose(1, 2)
        if self.by_fft:
            spectrum = torch.fft.rfft(u, n=2 * LENGTH) * torch.fft.rfft(self.filter, n=2 * LENGTH)
            y = torch.fft.irfft(spectrum, n=2 * LENGTH)[..., :LENGTH]
        else:
            padded = F.pad(u, (LENGTH - 1, 0))
            y = F.conv1d(padded, self.filter.flip(-1)[:, None], groups=WIDTH)
        result: Tensor = (y + u * self.skip[:, None]).transpose(1, 2)
        return result


class Block(nn.Module):
    """x += (q * conv(k)) over the sequence; x += block-diagonal FFN."""

    def __init__(self, by_fft: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.inner = nn.Linear(WIDTH, 2 * WIDTH)
        self.conv = LongConv(by_fft)
        self.up, self.down = BlockDiagonal(WIDTH, 32, 4), BlockDiagonal(32, WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, C] to [B, L, C]."""
        gate, k = self.inner(self.norms[0](x)).chunk(2, dim=-1)
        x = x + gate * self.conv(k)
        y: Tensor = x + self.down(F.gelu(self.up(self.norms[1](x))))
        return y


def _make(by_fft: bool) -> Made:
    return randomise(Block(by_fft)), (noise(2, LENGTH, WIDTH),)


_BLOCKS = {"subject": "mixer", "form": "block_diagonal", "blocks": 4}
_FOUND = ({"subject": "mixer", "form": "long_conv", "length": LENGTH}, _BLOCKS, _BLOCKS)
_BATCH = ({0: torch.export.Dim("batch")},)
CASES = (
    Case("monarch_conv", lambda: _make(False), found=_FOUND, dynamic=_BATCH),
    Case("monarch_fft", lambda: _make(True), found=_FOUND, dynamic=_BATCH,
         fails={"torchscript": "torch's older exporter has no Fourier transform"}),
)  # fmt: skip
