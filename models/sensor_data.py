"""The question that `sensor_moe` answers: windows of ETTh1 and what the load does next.

Will the high useful load (HUFL) in 6 hours be lower than now, about the same, or higher? The
borders are thirds of the change over the training hours; the split is that of the forecaster.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgemoe.models.sensor_moe import CONTEXT
from edgemoe.models.series import Series

SENSOR, AHEAD = 0, 6
"""HUFL, and how many hours ahead."""


def windows(series: Series, split: str) -> tuple[Tensor, Tensor]:
    """Windows [W, 96, 7] as a view, and classes int64 [W]: 0 falls, 1 stays, 2 rises."""
    x, changes = _changes(series, split)
    borders = torch.quantile(_changes(series, "train")[1], torch.tensor([1 / 3, 2 / 3]))
    return x, torch.bucketize(changes, borders)


def _changes(series: Series, split: str) -> tuple[Tensor, Tensor]:
    x, y = series.windows(split, CONTEXT, AHEAD)
    return x, y[:, -1, SENSOR] - x[:, -1, SENSOR]


def logistic(x: Tensor, y: Tensor, test_x: Tensor, test_y: Tensor) -> float:
    """Accuracy of a linear classifier of the centred window and its last values."""

    def rows(windows: Tensor) -> np.ndarray:
        return torch.cat([windows - windows[:, -1:], windows[:, -1:]], 1).flatten(1).numpy()

    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=1000, C=0.01).fit(rows(x), y.numpy())
    return float(fitted.score(rows(test_x), test_y.numpy()))
