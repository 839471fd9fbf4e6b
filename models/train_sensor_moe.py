"""Train `sensor_moe`: python -m edgemoe.models.train_sensor_moe --data ETTh1.csv.

What is asked of it, and of its controls, is in `sensor_data`.
"""

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
from edgemoe.models.moe_lm import balance_loss, expert_load
from edgemoe.models.sensor_data import logistic, windows
from edgemoe.models.sensor_moe import (
    CHOSEN,
    CLASSES,
    EXPERTS,
    INTERMEDIATE,
    Experts,
    SensorModel,
)
from edgemoe.models.series import Series, etth1_series

SEED, EPOCHS, BATCH, RATE, DECAY, AVERAGE, BALANCE = 0, 30, 64, 2e-3, 0.1, 0.99, 0.01


@torch.no_grad()
def accuracy(model: SensorModel, x: Tensor, y: Tensor) -> float:
    """The share of windows that a model in eval mode classifies as they are."""
    hits = [
        (model(a).argmax(1) == b).sum() for a, b in zip(x.split(256), y.split(256), strict=True)
    ]
    return float(torch.stack(hits).sum()) / len(y)


@torch.no_grad()
def _cross_entropy(model: SensorModel, x: Tensor, y: Tensor) -> float:
    pairs = zip(x.split(256), y.split(256), strict=True)
    return sum(F.cross_entropy(model(a), b, reduction="sum").item() for a, b in pairs) / len(y)


def train(series: Series, width: int | None = None) -> SensorModel:
    """Fit the model, or a dense one; returns the averaged weights that validate best."""
    torch.manual_seed(SEED)
    model = SensorModel(width)
    x, y = windows(series, "train")
    vx, vy = windows(series, "validate")
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    best, kept = float("inf"), average
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(x[rows]), y[rows], label_smoothing=0.05)
            routers = [m.logits for m in model.modules() if isinstance(m, Experts)]
            for logits in routers:
                loss = loss + BALANCE * balance_loss(logits, CHOSEN)
            loss.backward()
            optimizer.step()
            for old, new in zip(average.parameters(), model.parameters(), strict=True):
                old.lerp_(new.detach(), 1 - AVERAGE)
        schedule.step()
        error = _cross_entropy(average, vx, vy)
        print(f"epoch {epoch} validation {error:.4f}", flush=True)
        if error < best:
            best, kept = error, copy.deepcopy(average)
    return kept


def _loads(model: SensorModel, x: Tensor) -> list[list[float]]:
    """The share of all choices that fall on each expert, per block."""
    found: list[list[float]] = []
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, Experts):
                seen: list[Tensor] = []
                hook = module.router.register_forward_hook(lambda m, i, o, s=seen: s.append(o))
                for part in x.split(256):
                    model(part)
                hook.remove()
                loads = expert_load(torch.cat(seen), CHOSEN).tolist()
                found.append([round(load, 4) for load in loads])
    return found


def main() -> None:
    """Train, save, and measure what was saved next to its controls."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEMOE_DATA"))
    options = parser.parse_args()
    if options.data is None:
        parser.error("needs --data ETTh1.csv")
    torch.set_num_threads(1)
    series = etth1_series(Path(options.data))
    x, y = windows(series, "test")
    start = time.perf_counter()
    model = train(series)
    seconds = round(time.perf_counter() - start)
    checkpoint.save(model, "sensor_moe")
    active, total = CHOSEN * INTERMEDIATE, EXPERTS * INTERMEDIATE
    train_x, train_y = windows(series, "train")
    majority = int(torch.bincount(train_y, minlength=CLASSES).argmax())
    controls = {
        "the most frequent class of the training hours": (y == majority).float().mean().item(),
        "logistic regression": logistic(train_x, train_y, x, y),
        f"dense, {active} wide (as much work)": accuracy(train(series, active), x, y),
        f"dense, {total} wide (as many weights)": accuracy(train(series, total), x, y),
    }
    record = {
        "data": "ETTh1",
        "split": f"hours 11,520 to 14,400, {len(y):,} windows: HUFL in 6 h lower, alike, higher",
        "metric": "accuracy",
        "value": round(accuracy(model, x, y), 4),
        "controls": {name: round(value, 4) for name, value in controls.items()},
        "parameters": checkpoint.parameters(model),
        "seed": SEED,
        "training_seconds": seconds,
        "command": "python -m edgemoe.models.train_sensor_moe --data ETTh1.csv",
        "details": {
            "validation": round(accuracy(model, *windows(series, "validate")), 4),
            "load_of_experts": _loads(model, x),
            "classes_of_test": (torch.bincount(y, minlength=CLASSES) / len(y)).tolist(),
        },
    }
    checkpoint.write_record("sensor_moe", record)


if __name__ == "__main__":
    main()
