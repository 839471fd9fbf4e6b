"""MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601, section 2) on 8 x 8 images of digits."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models import checkpoint

TOKENS, WIDTH, TOKEN_WIDTH, CHANNEL_WIDTH, BLOCKS = 16, 32, 32, 64, 3


class MixerBlock(nn.Module):
    """x += token MLP(norm(x)^T)^T; x += channel MLP(norm(x))."""

    def __init__(self, width: int, token_width: int, channel_width: int) -> None:
        super().__init__()
        self.token_norm = nn.LayerNorm(width)
        self.token_in = nn.Linear(TOKENS, token_width)
        self.token_out = nn.Linear(token_width, TOKENS)
        self.channel_norm = nn.LayerNorm(width)
        self.channel_in = nn.Linear(width, channel_width)
        self.channel_out = nn.Linear(channel_width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, 16, W] to [B, 16, W]."""
        y = self.token_out(F.gelu(self.token_in(self.token_norm(x).transpose(1, 2))))
        x = x + self.dropout(y.transpose(1, 2))
        y = self.channel_out(F.gelu(self.channel_in(self.channel_norm(x))))
        update: Tensor = self.dropout(y)
        return x + update


class DigitsMixer(nn.Module):
    """Patches of 2 x 2 pixels become 16 tokens; their mean after the blocks is classified."""

    def __init__(
        self,
        width: int = WIDTH,
        token_width: int = TOKEN_WIDTH,
        channel_width: int = CHANNEL_WIDTH,
        blocks: int = BLOCKS,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, kernel_size=2, stride=2)
        widths = (width, token_width, channel_width)
        self.blocks = nn.ModuleList(MixerBlock(*widths) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)
        self.export_options = {"input_names": ["image"], "output_names": ["logits"]}

    def forward(self, image: Tensor) -> Tensor:
        """Map float32 [B, 1, 8, 8] in 0..1 to logits [B, 10]."""
        x = self.patches(image).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x).mean(dim=1))
        return logits


def held_out() -> tuple[Tensor, Tensor]:
    """Return the shipped held-out quarter: images float32 [450, 1, 8, 8], labels int64 [450]."""
    with np.load(checkpoint.DATA / "digits_test.npz") as file:
        images = torch.from_numpy(file["image"]).to(torch.float32) / 16
        return images, torch.from_numpy(file["label"]).to(torch.int64)


def digits() -> tuple[DigitsMixer, tuple[Tensor, ...]]:
    """Return the trained model and one held-out image."""
    model = checkpoint.load(DigitsMixer(), "digits")
    return model, (held_out()[0][:1],)
