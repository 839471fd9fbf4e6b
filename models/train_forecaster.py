"""Train a forecaster: python -m edgemoe.models.train_forecaster etth1 --data ETTh1.csv, or co2."""

from __future__ import annotations

import argparse
import copy
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F

from edgemoe.models import checkpoint
from edgemoe.models.forecast_controls import ridge, seasonal
from edgemoe.models.forecaster import CO2, ETTH1, Forecaster, ForecasterConfig
from edgemoe.models.series import Series, co2_series, etth1_series

SEED = 0


@dataclass(frozen=True)
class Recipe:
    """AdamW over shuffled windows; the weights are averaged over about 1 / (1 - average) steps."""

    config: ForecasterConfig
    epochs: int
    rate: float
    average: float
    data: str
    split: str
    naive: str
    period: int
    drift: bool
    arguments: str
    decay: float = 1e-2
    batch: int = 64


RECIPES = {
    "etth1": Recipe(
        ETTH1,
        epochs=20,
        rate=1e-3,
        average=0.995,
        data="ETTh1",
        split="hours 11,520 to 14,400, 2,785 windows",
        naive="the last day repeated",
        period=24,
        drift=False,
        arguments="etth1 --data ETTh1.csv",
    ),
    "co2": Recipe(
        CO2,
        epochs=60,
        rate=1e-3,
        average=0.99,
        data="weekly CO2 at Mauna Loa, models/data/co2.csv",
        split="last 20 % of the weeks, 432 windows",
        naive="the value 52 weeks before, plus the drift since",
        period=52,
        drift=True,
        arguments="co2",
    ),
}


@torch.no_grad()
def mse(model: Forecaster, series: Series, split: str) -> float:
    """Return the mean squared error over all windows, channels and steps, standardised."""
    x, y = series.windows(split, model.config.context, model.config.horizon)
    pairs = zip(x.split(256), y.split(256), strict=True)
    total = sum(F.mse_loss(model(a), b, reduction="sum").item() for a, b in pairs)
    return total / y.numel()


def train(recipe: Recipe, series: Series) -> Forecaster:
    """Fit the model and return the averaged weights of the epoch that validates best."""
    torch.manual_seed(SEED)
    model = Forecaster(recipe.config)
    x, y = series.windows("train", model.config.context, model.config.horizon)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    best, kept = float("inf"), average
    for epoch in range(recipe.epochs):
        for rows in torch.randperm(len(x)).split(recipe.batch):
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
            for old, new in zip(average.parameters(), model.parameters(), strict=True):
                old.lerp_(new.detach(), 1 - recipe.average)
        error = mse(average, series, "validate")
        print(f"epoch {epoch} validation {error:.4f}", flush=True)
        if error < best:
            best, kept = error, copy.deepcopy(average)
    return kept


def main() -> None:
    """Train, save, and measure what was saved next to its controls."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEMOE_DATA"))
    options = parser.parse_args()
    if options.name == "etth1" and options.data is None:
        parser.error("etth1 needs --data ETTh1.csv")
    torch.set_num_threads(1)
    series = etth1_series(Path(options.data)) if options.name == "etth1" else co2_series()
    recipe, start = RECIPES[options.name], time.perf_counter()
    model = train(recipe, series)
    seconds = round(time.perf_counter() - start)
    checkpoint.save(model, options.name)
    linear = train(replace(recipe, config=replace(recipe.config, blocks=0)), series)
    controls = {
        "ridge linear": ridge(series, recipe.config),
        "the same model and recipe without its mixing blocks": mse(linear, series, "test"),
        recipe.naive: seasonal(series, recipe.config, recipe.period, recipe.drift),
    }
    record = {
        "data": recipe.data,
        "split": recipe.split,
        "metric": "MSE, standardised",
        "value": round(mse(model, series, "test"), 5),
        "controls": {name: round(value, 5) for name, value in controls.items()},
        "parameters": checkpoint.parameters(model),
        "seed": SEED,
        "training_seconds": seconds,
        "command": f"python -m edgemoe.models.train_forecaster {recipe.arguments}",
        "details": {"validation": round(mse(model, series, "validate"), 5)},
    }
    checkpoint.write_record(options.name, record)


if __name__ == "__main__":
    main()
