"""Train a forecaster: python -m edgemoe.models.train_forecaster etth1 --data ETTh1.csv, or co2."""

from __future__ import annotations

import argparse
import copy
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from edgemoe.models import checkpoint
from edgemoe.models.forecaster import CO2, ETTH1, Forecaster, ForecasterConfig
from edgemoe.models.series import Series, co2_series, etth1_series

SEED, AVERAGE = 0, 0.99


@torch.no_grad()
def mse(model: Forecaster, x: Tensor, y: Tensor) -> float:
    """Return the mean squared error over all windows, channels and steps, standardised."""
    total = 0.0
    for inputs, targets in zip(x.split(256), y.split(256), strict=True):
        total += F.mse_loss(model(inputs), targets, reduction="sum").item()
    return total / y.numel()


def ridge(series: Series, config: ForecasterConfig) -> float:
    """Return the test error of one linear map for all channels, its penalty chosen on validation.

    Its input and its target are centred on the last value of the window, as the model's are.
    """

    def rows(split: str) -> tuple[Tensor, Tensor]:
        x, y = series.windows(split, config.context, config.horizon)
        last = x[:, -1:]
        return tuple((a - last).transpose(1, 2).flatten(0, 1).double() for a in (x, y))

    (x, y), (vx, vy), (tx, ty) = (rows(split) for split in ("train", "validate", "test"))
    gram, cross, unit = x.T @ x, x.T @ y, torch.eye(config.context, dtype=torch.float64)
    best = (float("inf"), 0.0)
    for power in range(-2, 6):
        weight = torch.linalg.solve(gram + 10.0**power * unit, cross)
        best = min(best, (F.mse_loss(vx @ weight, vy).item(), F.mse_loss(tx @ weight, ty).item()))
    return best[1]


def seasonal(series: Series, config: ForecasterConfig, period: int) -> float:
    """Return the test error of the value one period before plus the drift over that period."""
    x, y = series.windows("test", config.context, config.horizon)
    drift = x[:, -1:] - x[:, -1 - period : -period or None]
    return F.mse_loss(x[:, -period:][:, : config.horizon] + drift, y).item()


def train(
    model: Forecaster, series: Series, epochs: int, rate: float, decay: float
) -> tuple[float, int]:
    """Fit a running average of the weights; keep the epoch that is best on validation."""
    x, y = series.windows("train", model.config.context, model.config.horizon)
    vx, vy = series.windows("validate", model.config.context, model.config.horizon)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    average, best, weights, at = copy.deepcopy(model), float("inf"), model.state_dict(), 0
    average.eval()
    for epoch in range(epochs):
        model.train()
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(model(x[rows]), y[rows]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                for old, new in zip(average.parameters(), model.parameters(), strict=True):
                    old.lerp_(new, 1 - AVERAGE)
        error = mse(average, vx, vy)
        print(f"epoch {epoch} validation {error:.4f}", flush=True)
        if error < best:
            best, weights, at = error, copy.deepcopy(average.state_dict()), epoch
    model.load_state_dict(weights)
    model.eval()
    return best, at
