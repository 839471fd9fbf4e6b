"""Train `digits` on scikit-learn's digits: python -m edgemoe.models.train_digits."""

from __future__ import annotations

import time

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import Tensor

from edgemoe.models import checkpoint
from edgemoe.models.digits_mixer import DigitsMixer, held_out

SEED, EPOCHS, BATCH, RATE, DECAY = 0, 40, 32, 3e-3, 0.05


def split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pixels 0..16 uint8 [N, 1, 8, 8] to train and to test, and their labels likewise."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8)[:, None], digits.target.astype(np.uint8)
    x, held_x, y, held_y = train_test_split(
        images, labels, test_size=0.25, random_state=SEED, stratify=labels
    )
    return x, held_x, y, held_y


def train(x: Tensor, y: Tensor, model: DigitsMixer) -> DigitsMixer:
    """Fit a mixer with AdamW and a cosine schedule."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(x[rows]), y[rows], label_smoothing=0.05)
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def main() -> None:
    """Train, save, and measure what was saved; the held-out quarter is written too, to ship."""
    torch.set_num_threads(1)
    x, held_x, y, held_y = split()
    np.savez_compressed(checkpoint.DATA / "digits_test.npz", image=held_x, label=held_y)
    start = time.perf_counter()
    torch.manual_seed(SEED)
    pixels, classes = torch.from_numpy(x).float() / 16, torch.from_numpy(y).long()
    model = train(pixels, classes, DigitsMixer())
    seconds = time.perf_counter() - start
    checkpoint.save(model, "digits")
    images, labels = held_out()
    with torch.no_grad():
        value = (model(images).argmax(dim=1) == labels).float().mean().item()
    control = LogisticRegression(max_iter=5000).fit(x.reshape(len(x), -1) / 16, y)
    record = {
        "data": "scikit-learn digits",
        "split": "stratified held-out quarter, 450 images",
        "metric": "accuracy",
        "value": round(value, 4),
        "controls": {
            "logistic regression": round(
                control.score(held_x.reshape(len(held_x), -1) / 16, held_y), 4
            )
        },
        "parameters": checkpoint.parameters(model),
        "seed": SEED,
        "training_seconds": round(seconds),
        "command": "python -m edgemoe.models.train_digits",
        "details": {},
    }
    checkpoint.write_record("digits", record)


if __name__ == "__main__":
    main()
