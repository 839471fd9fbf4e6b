"""An all-MLP forecaster: TSMixer (Chen et al. 2023, arXiv 2303.06053, section 3).

Blocks mix over time, by a left multiplication that needs no transposition, and then over features;
the window is centred on its last value, which the forecast gets back (NLinear, arXiv 2205.13504).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models import checkpoint
from edgemoe.models.series import co2_series


@dataclass(frozen=True)
class ForecasterConfig:
    """Sizes: context L and horizon P in steps, C channels, widths of the two hidden layers."""

    context: int
    horizon: int
    channels: int
    blocks: int
    time_width: int
    feature_width: int
    dropout: float


class LeftLinear(nn.Module):
    """A linear layer over the time axis: weight [out, in] @ x [B, in, C] + bias [out, 1]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, C] to [B, out, C]."""
        if self.training:  # the same product as one large matrix product: three times as fast
            return torch.einsum("oi,bic->boc", self.weight, x) + self.bias
        return torch.matmul(self.weight, x) + self.bias


class PlaneNorm(nn.Module):
    """Layer normalisation over time and channels together, which one channel survives too."""

    def __init__(self, context: int, channels: int) -> None:
        super().__init__()
        self.shape = (context, channels)
        self.norm = nn.LayerNorm(context * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, C] to [B, L, C]."""
        y: Tensor = self.norm(x.flatten(1))
        return y.reshape(-1, *self.shape)


class MixerBlock(nn.Module):
    """x += time MLP(norm(x)); x += feature MLP(norm(x))."""

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        self.time_norm = PlaneNorm(config.context, config.channels)
        self.time_in = LeftLinear(config.context, config.time_width)
        self.time_out = LeftLinear(config.time_width, config.context)
        self.feature_norm = PlaneNorm(config.context, config.channels)
        self.feature_in = nn.Linear(config.channels, config.feature_width)
        self.feature_out = nn.Linear(config.feature_width, config.channels)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, C] to [B, L, C]."""
        y = self.dropout(F.gelu(self.time_in(self.time_norm(x))))
        x = x + self.dropout(self.time_out(y))
        y = self.dropout(F.gelu(self.feature_in(self.feature_norm(x))))
        update: Tensor = self.dropout(self.feature_out(y))
        return x + update


class Forecaster(nn.Module):
    """Forecast the next P steps of C channels from the last L."""

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(MixerBlock(config) for _ in range(config.blocks))
        self.head = LeftLinear(config.context, config.horizon)
        self.export_options = {"input_names": ["x"], "output_names": ["y"]}

    def forward(self, x: Tensor) -> Tensor:
        """Map standardised float32 [B, L, C] to the forecast [B, P, C] in the same unit."""
        last = x[:, -1:, :]
        z = x - last
        for block in self.blocks:
            z = block(z)
        y: Tensor = self.head(z) + last
        return y


ETTH1 = ForecasterConfig(512, 96, 7, blocks=2, time_width=64, feature_width=32, dropout=0.7)
CO2 = ForecasterConfig(104, 26, 1, blocks=2, time_width=32, feature_width=8, dropout=0.1)


def etth1() -> tuple[Forecaster, tuple[Tensor, ...]]:
    """Return the trained hourly model, 512 x 7 -> 96 x 7, and a window like a daily cycle."""
    model = checkpoint.load(Forecaster(ETTH1), "etth1")
    hours = torch.arange(ETTH1.context)[:, None] + 3.0 * torch.arange(ETTH1.channels)
    return model, (torch.sin(hours * (torch.pi / 12)).unsqueeze(0),)


def co2() -> tuple[Forecaster, tuple[Tensor, ...]]:
    """Return the trained weekly model, 104 -> 26, and the last window of the shipped series."""
    model = checkpoint.load(Forecaster(CO2), "co2")
    return model, (co2_series().values[-CO2.context :].unsqueeze(0),)
