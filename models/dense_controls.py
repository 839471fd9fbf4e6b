r"""Small dense models that a compressed model has to beat, trained when they are asked for.

    edgemoe compile edgemoe.models.forecaster:co2 -t cpu -o co2 --calibration co2.npz \
        --max-loss 0.5% --control dense=edgemoe.models.dense_controls:co2

Each takes the same inputs as the model of its name, learns from the same split, and has about as
many bytes in float32 as that model once it is compressed. `etth1` and `char` read their data from
the file that the variable EDGEMOE_DATA names, those of `domain_moe` from the folder.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from edgemoe.models import domain_data, forecaster, train_digits, train_language
from edgemoe.models.attention import DecoderConfig
from edgemoe.models.decoder import Decoder
from edgemoe.models.digits_mixer import DigitsMixer, held_out
from edgemoe.models.forecast_controls import ridge_map
from edgemoe.models.forecaster import Forecaster, ForecasterConfig
from edgemoe.models.moe_lm import SwiGLU
from edgemoe.models.series import Series, co2_series, etth1_series

Made = tuple[nn.Module, tuple[Tensor, ...]]

HIDDEN, INNER = 80, 96
"""Of the language model: 359 KB."""

ONE_DOMAIN = {"text": (56, 96), "series": (40, 64)}
"""Width and inner width of the decoders that know one domain of `domain_moe`: 225 and 115 KB."""

WIDTH, TOKEN_WIDTH, CHANNEL_WIDTH, BLOCKS = 16, 16, 32, 2
"""Of the mixer of digits: 15 KB."""


def etth1(data: Path | None = None) -> Made:
    """One linear map of time for all channels, ridge-regressed, 197 KB."""
    return _linear(etth1_series(data or _data("ETTh1.csv")), forecaster.ETTH1), _input("etth1")


def co2() -> Made:
    """One linear map of time, ridge-regressed, 11 KB."""
    return _linear(co2_series(), forecaster.CO2), _input("co2")


def digits() -> Made:
    """The same mixer with fewer and narrower blocks, by the same recipe, in ten seconds."""
    x, _, y, _ = train_digits.split()
    torch.manual_seed(train_digits.SEED)
    model = DigitsMixer(WIDTH, TOKEN_WIDTH, CHANNEL_WIDTH, BLOCKS)
    pixels, labels = torch.from_numpy(x).float() / 16, torch.from_numpy(y).long()
    return train_digits.train(pixels, labels, model), (held_out()[0][:1],)


def char(data: Path | None = None, steps: int = train_language.STEPS) -> Made:
    """A narrower dense decoder by the recipe of both language models, in some minutes."""
    tokens = train_language.split(data or _data("tinyshakespeare.txt"))[0]
    torch.manual_seed(train_language.SEED)
    config = DecoderConfig(hidden=HIDDEN)
    model = Decoder(config, lambda: SwiGLU(config.hidden, INNER))
    train_language.train(model, tokens, steps, lambda _: torch.zeros(()))
    return model.eval().requires_grad_(False), model.example("Shall I ")


def domain_text(folder: Path | None = None, steps: int = train_language.STEPS) -> Made:
    """A small dense decoder of text alone, beside `domain_moe` for `--task domain=text`."""
    return _one_domain("text", folder, steps)


def domain_series(folder: Path | None = None, steps: int = train_language.STEPS) -> Made:
    """A small dense decoder of digits alone, beside `domain_moe` for `--task domain=series`."""
    return _one_domain("series", folder, steps)


def _one_domain(domain: str, folder: Path | None, steps: int) -> Made:
    hidden, inner = ONE_DOMAIN[domain]
    rows = {domain: train_language.BATCH}
    torch.manual_seed(train_language.SEED)
    model = Decoder(DecoderConfig(hidden=hidden), lambda: SwiGLU(hidden, inner))
    draw = domain_data.draws_of(folder or _data("tinyshakespeare.txt and ETTh1.csv"), rows)
    train_language.fit(model, draw, steps, lambda _: torch.zeros(()))
    return model.eval().requires_grad_(False), model.example("Shall I ")


def _data(what: str) -> Path:
    path = os.environ.get("EDGEMOE_DATA")
    if path is None:
        raise FileNotFoundError(f"the control is trained on {what}; set EDGEMOE_DATA to its path")
    return Path(path)


def _input(name: str) -> tuple[Tensor, ...]:
    inputs: tuple[Tensor, ...] = getattr(forecaster, name)()[1]
    return inputs


def _linear(series: Series, config: ForecasterConfig) -> Forecaster:
    model = Forecaster(replace(config, blocks=0)).eval().requires_grad_(False)
    model.head.weight.copy_(ridge_map(series, config).T)
    return model
