"""What a forecaster must beat: one ridge-regressed linear map, and the repeated season."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgemoe.models.forecaster import ForecasterConfig
from edgemoe.models.series import Series


def ridge(series: Series, config: ForecasterConfig) -> float:
    """Return the test error of one linear map for all channels."""
    x, y = _rows(series, config, "test")
    return F.mse_loss(x @ ridge_map(series, config), y).item()


def ridge_map(series: Series, config: ForecasterConfig) -> Tensor:
    """Return float64 [context, horizon]: the map for all channels, its penalty by validation.

    Its input and its target are centred on the last value of the window, as the model's are.
    """
    (x, y), (vx, vy) = _rows(series, config, "train"), _rows(series, config, "validate")
    gram, cross, unit = x.T @ x, x.T @ y, torch.eye(x.shape[1], dtype=torch.float64)
    maps = [torch.linalg.solve(gram + 10.0**power * unit, cross) for power in range(-2, 6)]
    best: Tensor = min(maps, key=lambda weight: F.mse_loss(vx @ weight, vy).item())
    return best


def _rows(series: Series, config: ForecasterConfig, split: str) -> tuple[Tensor, Tensor]:
    x, y = series.windows(split, config.context, config.horizon)
    x, y = (x - x[:, -1:]).double(), (y - x[:, -1:]).double()
    return x.transpose(1, 2).flatten(0, 1), y.transpose(1, 2).flatten(0, 1)


def seasonal(series: Series, config: ForecasterConfig, period: int, drift: bool) -> float:
    """Return the test error of repeating the last period, plus its drift since the one before."""
    x, y = series.windows("test", config.context, config.horizon)
    repeated = x[:, -period:][:, torch.arange(config.horizon) % period]
    moved = x[:, -1:] - x[:, -1 - period : -period]
    return F.mse_loss(repeated + drift * moved, y).item()
