"""FNet (Lee-Thorp et al. 2021, arXiv 2105.03824, equation 3): real part of a 2-D transform."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

LENGTH, WIDTH = 10, 12


class ByMatrices(nn.Module):
    """Re(F_seq x F_hidden) = C x C - S x S with the matrices of cosines and sines."""

    sequence_cos: Tensor
    sequence_sin: Tensor
    hidden_cos: Tensor
    hidden_sin: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, size in (("sequence", LENGTH), ("hidden", WIDTH)):
            angle = 2 * math.pi * torch.outer(torch.arange(size), torch.arange(size)) / size
            self.register_buffer(f"{name}_cos", torch.cos(angle))
            self.register_buffer(f"{name}_sin", torch.sin(angle))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, H] to [B, L, H]."""
        cosines = self.sequence_cos @ (x @ self.hidden_cos)
        y: Tensor = cosines - self.sequence_sin @ (x @ self.hidden_sin)
        return y


class ByTransform(nn.Module):
    """The same by torch's transform."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, H] to [B, L, H]."""
        y: Tensor = torch.fft.fft2(x, dim=(-2, -1)).real
        return y


class Block(nn.Module):
    """x = norm(x + mix(x)); y = norm(x + FFN(x))."""

    def __init__(self, mix: nn.Module) -> None:
        super().__init__()
        self.mix = mix
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.ffn = nn.Sequential(nn.Linear(WIDTH, 20), nn.GELU(), nn.Linear(20, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, H] to [B, L, H]."""
        x = self.norms[0](x + self.mix(x))
        y: Tensor = self.norms[1](x + self.ffn(x))
        return y


def _make(mix: nn.Module) -> Made:
    return randomise(Block(mix)), (noise(2, LENGTH, WIDTH),)


_MLP = {"subject": "mixer", "form": "channel_mlp", "channels": WIDTH, "hidden": 20}
_AXES = tuple({"subject": "mixer", "form": "dft", "size": n} for n in (LENGTH, WIDTH))
_BATCH = ({0: torch.export.Dim("batch")},)
CASES = (
    Case("fnet_matrices", lambda: _make(ByMatrices()), found=(*_AXES * 2, _MLP), dynamic=_BATCH),
    Case("fnet", lambda: _make(ByTransform()), found=(*_AXES, _MLP), dynamic=_BATCH,
         fails={"torchscript": "torch's older exporter has no Fourier transform of two axes"}),
)  # fmt: skip
