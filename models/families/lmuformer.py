"""LMUFormer (Liu et al. 2024, arXiv 2402.04882): the Legendre memory unit in its three forms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

LENGTH, WIDTH, ORDER, THETA = 14, 10, 6, 14.0


def legendre() -> tuple[Tensor, Tensor]:
    """Return A [q, q], B [q] of m_t = A m_(t-1) + B u_t (Voelker et al. 2019, equation 2)."""
    q = torch.arange(ORDER, dtype=torch.float64)
    row, column = torch.meshgrid(q, q, indexing="ij")
    sign = torch.where(row < column, -torch.ones_like(row), (-1.0) ** (row - column + 1))
    a = sign * (2 * row + 1) / THETA
    b = ((-1.0) ** q * (2 * q + 1) / THETA)[:, None]
    step = torch.linalg.matrix_exp(torch.cat([torch.cat([a, b], 1), torch.zeros(1, ORDER + 1)]))
    return step[:ORDER, :ORDER].float(), step[:ORDER, ORDER].float()


class Lmu(nn.Module):
    """u = relu(x W_u); memory of u; o = relu(W_h [m, x])."""

    a: Tensor
    b: Tensor
    impulse: Tensor

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.u, self.h = nn.Linear(WIDTH, 1), nn.Linear(ORDER + WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 24), nn.Linear(24, WIDTH)
        a, b = legendre()
        powers = [b]
        for _ in range(LENGTH - 1):
            powers.append(a @ powers[-1])
        self.register_buffer("a", a.T.contiguous())
        self.register_buffer("b", b)
        self.register_buffer("impulse", torch.stack(powers, 1))  # [q, L]

    def _memory(self, u: Tensor) -> Tensor:
        """Map [B, L, 1] to [B, L, q]."""
        if self.form == "fft":
            spectrum = torch.fft.rfft(u.transpose(1, 2), n=2 * LENGTH)
            product = spectrum * torch.fft.rfft(self.impulse, n=2 * LENGTH)
            long: Tensor = torch.fft.irfft(product, n=2 * LENGTH)
            return long[..., :LENGTH].transpose(1, 2)
        padded = F.pad(u.transpose(1, 2), (LENGTH - 1, 0))
        return F.conv1d(padded, self.impulse.flip(-1)[:, None]).transpose(1, 2)

    def _mixed(self, x: Tensor, memory: Tensor) -> Tensor:
        x = x + F.relu(self.h(torch.cat([memory, x], dim=-1)))
        y: Tensor = x + self.down(F.gelu(self.up(self.norm(x))))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, C] to [B, L, C]."""
        return self._mixed(x, self._memory(F.relu(self.u(x))))


class Streaming(Lmu):
    """One step at a time: the memory goes in and comes out."""

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Map x [B, C] and memory [B, q] to y [B, C] and the next memory."""
        memory = memory @ self.a + F.relu(self.u(x)) * self.b
        return self._mixed(x, memory), memory


def _make(form: str) -> Made:
    return randomise(Lmu(form)), (noise(2, LENGTH, WIDTH),)


def _streaming() -> Made:
    return randomise(Streaming("step")), (noise(2, WIDTH), noise(2, ORDER, seed=2))


_MLP = {"subject": "mixer", "form": "channel_mlp", "channels": WIDTH, "hidden": 24}
_FOUND = ({"subject": "mixer", "form": "long_conv", "length": LENGTH}, _MLP)
_BATCH = torch.export.Dim("batch")
CASES = (
    Case("lmuformer_conv", lambda: _make("conv"), found=_FOUND, dynamic=({0: _BATCH},)),
    Case("lmuformer_fft", lambda: _make("fft"), found=_FOUND, dynamic=({0: _BATCH},),
         fails={"torchscript": "torch's older exporter has no Fourier transform"}),
    Case("lmuformer_streaming", _streaming, dynamic=({0: _BATCH}, {0: _BATCH})),
)  # fmt: skip
