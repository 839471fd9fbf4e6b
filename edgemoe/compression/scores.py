"""How much an expert matters, by what calibration saw."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compression.region_statistics import RegionStatistics
from edgemoe.errors import OptionError

METHODS = ("contribution", "frequency", "gate", "reap", "man", "random")


def scores(region: RegionStatistics, method: str = "contribution", seed: int = 0) -> NDArray[Any]:
    """Score the experts of a region; the lowest are pruned first.

    contribution: sum of g * |f|, the default: it stays right where the number of active experts
    varies. frequency: tokens that used the expert. gate: sum of g. reap: mean of g * |f| over these
    tokens (arXiv 2510.13999, eq. 9). man: mean |f| over them. random: the control.

    Args:
        region: statistics of the region.
        method: one of `METHODS`.
        seed: for "random"; regions differ under one seed.

    Returns float64 [E]; 0 for an expert that no token used, but with "random".

    Raises:
        OptionError: the method is unknown.
    """
    if method == "contribution":
        return region.contribution.copy()
    if method == "frequency":
        return region.uses.astype(np.float64)
    if method == "gate":
        return region.gate.copy()
    if method == "reap":
        return region.per_use(region.contribution)
    if method == "man":
        return region.per_use(region.norm)
    if method == "random":
        own = zlib.crc32("\n".join(region.key).encode())
        return np.random.default_rng([seed, own]).random(region.experts)
    raise OptionError(f"pruning method {method!r} is unknown\n  next: one of {', '.join(METHODS)}")
