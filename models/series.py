"""Time series for the forecaster: windows of ETTh1 and of the shipped weekly CO2 record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edgemoe.models.checkpoint import DATA


@dataclass(frozen=True)
class Series:
    """Standardised float32 values [N, C]; rows to train, then to validate, then to test."""

    values: Tensor
    validate_from: int
    test_from: int
    end: int

    def windows(self, split: str, context: int, horizon: int) -> tuple[Tensor, Tensor]:
        """Return every window of a split: x [W, context, C] and y [W, horizon, C], as views.

        The targets lie in the split; the context of its first windows reaches back before it.
        """
        first, last = {
            "train": (context, self.validate_from),
            "validate": (self.validate_from, self.test_from),
            "test": (self.test_from, self.end),
        }[split]
        rows = self.values[first - context : last]
        pairs = rows.unfold(0, context + horizon, 1).transpose(1, 2)
        return pairs[:, :context], pairs[:, context:]


def standardised(values: np.ndarray, train: int) -> Tensor:
    """Centre and scale each channel by its first `train` rows."""
    part = values[:train]
    return torch.from_numpy((values - part.mean(0)) / part.std(0)).to(torch.float32)


def etth1_series(path: Path) -> Series:
    """Read ETTh1.csv with its standard split: 8,640 hours to train, 2,880 each for the others."""
    values = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, 8))
    return Series(standardised(values, 8640), 8640, 11520, 14400)


def co2_series() -> Series:
    """Read the shipped weekly CO2 record: 70 % to train, 10 % to validate, 20 % to test.

    Weeks without a value are filled by linear interpolation.
    """
    parts = np.genfromtxt(DATA / "co2.csv", delimiter=",", skip_header=1, usecols=[1])
    known = np.flatnonzero(~np.isnan(parts))
    values = np.interp(np.arange(len(parts)), known, parts[known])[:, None]
    train, test = int(0.7 * len(values)), int(0.8 * len(values))
    return Series(standardised(values, train), train, test, len(values))
