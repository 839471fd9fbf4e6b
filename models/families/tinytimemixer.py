"""TinyTimeMixer (Ekambaram et al. 2024, arXiv 2401.03955, section 3).

Adaptive patching, a decoder with channel mixing, an exogenous mixer and a frequency prefix.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

PATCHES, WIDTH, CHANNELS, HORIZON = 4, 16, 3, 8


class GatedMlp(nn.Module):
    """x + gate(MLP(norm(x))) along one axis; the gate is x * softmax(linear(x))."""

    def __init__(self, axis: int, size: int, width: int) -> None:
        super().__init__()
        self.axis = axis
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)
        self.gate = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, N, D] to [B, C, N, D]."""
        y = self.norm(x).transpose(self.axis, -1)
        y = self.down(F.gelu(self.up(y)))
        y = y * torch.softmax(self.gate(y), dim=-1)
        result: Tensor = x + y.transpose(self.axis, -1)
        return result


class Layer(nn.Module):
    """Mixes patches, then features; over channels first where the decoder asks for it."""

    def __init__(self, patches: int, width: int, channels: int | None = None) -> None:
        super().__init__()
        parts = [GatedMlp(-2, patches, width), GatedMlp(-1, width, width)]
        if channels is not None:
            parts.insert(0, GatedMlp(-3, channels, width))
        self.parts = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, N, D] to [B, C, N, D]."""
        y: Tensor = self.parts(x)
        return y


class TinyTimeMixer(nn.Module):
    """Scales each channel, mixes at two patch sizes, decodes, and mixes in what is known ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, WIDTH)
        self.frequencies = nn.Embedding(5, WIDTH)
        self.coarse = Layer((PATCHES + 1) * 2, WIDTH // 2)
        self.fine = Layer(PATCHES + 1, WIDTH)
        self.decoder = Layer(PATCHES + 1, WIDTH, CHANNELS)
        self.head = nn.Linear((PATCHES + 1) * WIDTH, HORIZON)
        self.exogenous_up = nn.Linear(3 * CHANNELS, 20)
        self.exogenous_down = nn.Linear(20, CHANNELS - 1)

    def forward(self, past: Tensor, frequency: Tensor, known: Tensor) -> Tensor:
        """Map past [B, 24, C], frequency [B], known [B, P] of the last channel to [B, P, C]."""
        mean = past.mean(1, keepdim=True)
        scale = (past.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        x = ((past - mean) / scale).transpose(1, 2).unflatten(-1, (PATCHES, 6))
        x = self.embed(x)
        token = self.frequencies(frequency)[:, None, None].expand(-1, CHANNELS, -1, -1)
        x = torch.cat([token, x], dim=2)
        b, c, n, d = x.shape
        x = self.coarse(x.reshape(b, c, n * 2, d // 2)).reshape(b, c, n, d)
        x = self.decoder(self.fine(x))
        y = self.head(x.flatten(2)).transpose(1, 2)
        return self._exogenous(y, known) * scale + mean

    def _exogenous(self, y: Tensor, known: Tensor) -> Tensor:
        """Replace the known channel, and mix all channels of three neighbouring steps."""
        y = torch.cat([y[..., :-1], known[..., None]], dim=-1)
        padded = F.pad(y, (0, 0, 1, 1))
        near = torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], dim=-1)
        free = y[..., :-1] + self.exogenous_down(F.gelu(self.exogenous_up(near)))
        return torch.cat([free, y[..., -1:]], dim=-1)


def make() -> Made:
    """Return the forecaster, two windows, their frequencies and what is known ahead."""
    inputs = (noise(2, 24, CHANNELS), torch.tensor([1, 4]), noise(2, HORIZON, seed=2))
    return randomise(TinyTimeMixer()), inputs


def _gated(form: str, key: str, size: int) -> tuple[dict[str, object], ...]:
    gate = {"subject": "mixer", "form": "gate", "kind": "softmax", "size": size}
    return ({"subject": "mixer", "form": form, key: size}, gate)


_FOUND = (
    *_gated("token_mlp", "tokens", 10), *_gated("channel_mlp", "channels", 8),
    *_gated("token_mlp", "tokens", 5) * 2, *_gated("channel_mlp", "channels", 16) * 2,
    *_gated("token_mlp", "tokens", CHANNELS),
    {"subject": "mixer", "form": "channel_mlp", "channels": 9, "hidden": 20},
)  # fmt: skip
_BATCH = torch.export.Dim("batch")
CASES = (
    Case("tinytimemixer", make, found=_FOUND, dynamic=({0: _BATCH}, {0: _BATCH}, {0: _BATCH}),
         tolerance=3e-5),
)  # fmt: skip
