"""Conv-TasNet (Luo and Mesgarani 2019, arXiv 1809.07454, section II)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

FILTERS, WIDTH, HIDDEN = 12, 8, 14


class Block(nn.Module):
    """Pointwise, PReLU, norm, dilated depthwise, PReLU, norm; then a residual and a skip."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(WIDTH, HIDDEN, 1), nn.PReLU(), nn.GroupNorm(1, HIDDEN),
            nn.Conv1d(HIDDEN, HIDDEN, 3, padding=dilation, dilation=dilation, groups=HIDDEN),
            nn.PReLU(), nn.GroupNorm(1, HIDDEN),
        )  # fmt: skip
        self.residual, self.skip = nn.Conv1d(HIDDEN, WIDTH, 1), nn.Conv1d(HIDDEN, WIDTH, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, C, T] to the next [B, C, T] and the skip [B, C, T]."""
        y = self.body(x)
        return x + self.residual(y), self.skip(y)


class ConvTasNet(nn.Module):
    """Learned filters, masks for two speakers, and the transposed filters."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv1d(1, FILTERS, 8, stride=4, bias=False)
        self.bottleneck = nn.Sequential(nn.GroupNorm(1, FILTERS), nn.Conv1d(FILTERS, WIDTH, 1))
        self.blocks = nn.ModuleList([Block(1), Block(2), Block(4)])
        self.masks = nn.Sequential(nn.PReLU(), nn.Conv1d(WIDTH, 2 * FILTERS, 1), nn.Sigmoid())
        self.decoder = nn.ConvTranspose1d(FILTERS, 1, 8, stride=4, bias=False)

    def forward(self, sound: Tensor) -> Tensor:
        """Map [B, 1, T] to [B, 2, T]."""
        code = torch.relu(self.encoder(sound))
        x, total = self.bottleneck(code), torch.zeros(())
        for block in self.blocks:
            x, skip = block(x)
            total = total + skip
        masked = self.masks(total).unflatten(1, (2, FILTERS)) * code[:, None]
        y: Tensor = self.decoder(masked.flatten(0, 1)).unflatten(0, (-1, 2)).squeeze(2)
        return y


def make() -> Made:
    """Return the separator and two sounds."""
    return randomise(ConvTasNet()), (noise(2, 1, 64),)


_FOUND = tuple(
    {"subject": "mixer", "form": "depthwise_conv", "kernel": [3], "channels": HIDDEN,
     "dilations": [d]} for d in (1, 2, 4)
)  # fmt: skip
CASES = (Case("conv_tasnet", make, found=_FOUND),)
