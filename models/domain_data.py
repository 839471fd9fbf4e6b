"""Two domains for one language model: characters of plays, and hours of sensors as digits.

An hour of ETTh1 is a line of 14 digits, two for each of seven sensors: 50 is the mean of the
training hours, 15 more a standard deviation more. Digits of a series as the tokens of a language
model are an idea of LLMTime (Gruver et al. 2023, arXiv 2310.07820, section 3).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from edgemoe.models.series import Series, etth1_series
from edgemoe.models.train_language import LENGTH, Draw, windows_of
from edgemoe.models.train_language import split as split_text
from edgemoe.models.vocabulary import encode

DOMAINS = ("text", "series")
TEXT, SERIES = "tinyshakespeare.txt", "ETTh1.csv"
SENSORS, MIDDLE, STEP, LARGEST = 7, 50.0, 15.0, 99
LINE = 2 * SENSORS + 1
SHIFT, SCALE = 0.5, 0.2
"""Training hours are moved by so many standard deviations and stretched by so much of one, per row
and sensor: 8,640 hours are few, and would be learnt by heart."""

ZERO, NEWLINE = int(encode("0")), int(encode("\n"))


def digits(values: Tensor) -> Tensor:
    """Write standardised hours, float32 [.., N, 7], as tokens, int64 [.., N * 15]."""
    levels = (MIDDLE + STEP * values).round().clamp(0, LARGEST).to(torch.int64)
    pairs = torch.stack((levels // 10, levels % 10), dim=-1).flatten(-2) + ZERO
    ends = torch.full((*pairs.shape[:-1], 1), NEWLINE)
    return torch.cat((pairs, ends), dim=-1).flatten(-2)


def series_of(folder: Path) -> Series:
    """Read the sensors from a folder that holds both files."""
    return etth1_series(folder / SERIES)


def tokens_of(folder: Path, domain: str, split: str) -> Tensor:
    """Return the tokens of a domain, int64 [T].

    Args:
        folder: holds tinyshakespeare.txt and ETTh1.csv.
        domain: "text" or "series".
        split: "train", "validate" or "test".
    """
    if domain == "text":
        parts = split_text(folder / TEXT)
        return dict(zip(("train", "validate", "test"), parts, strict=True))[split]
    series = series_of(folder)
    first, last = {
        "train": (0, series.validate_from),
        "validate": (series.validate_from, series.test_from),
        "test": (series.test_from, series.end),
    }[split]
    return digits(series.values[first:last])


def hours_of(series: Series, rows: int) -> Draw:
    """Draw rows of digits, int64 [rows, LENGTH + 1], that start anywhere in an hour."""
    hours = -(-(LENGTH + LINE) // LINE)
    values = series.values[: series.validate_from]

    def draw(chance: torch.Generator) -> Tensor:
        starts = torch.randint(len(values) - hours, (rows, 1), generator=chance)
        own = values[starts + torch.arange(hours)]
        scale = 1 + SCALE * (2 * torch.rand(rows, 1, SENSORS, generator=chance) - 1)
        shift = SHIFT * (2 * torch.rand(rows, 1, SENSORS, generator=chance) - 1)
        inside = torch.randint(LINE, (rows, 1), generator=chance)
        return digits(own * scale + shift).gather(1, inside + torch.arange(LENGTH + 1))

    return draw


def draws_of(folder: Path, domains: dict[str, int]) -> Draw:
    """Draw rows of domains, in the order of `domains`."""
    draws: list[Draw] = []
    for domain, rows in domains.items():
        if domain == "series":
            draws.append(hours_of(series_of(folder), rows))
        else:
            draws.append(windows_of(tokens_of(folder, domain, "train"), rows))
    return lambda chance: torch.cat([draw(chance) for draw in draws])
