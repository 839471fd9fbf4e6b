"""NAEE: try every subset of experts of a small layer (Lu et al. 2024, arXiv 2402.14800, 3.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.compression.region_runner import RegionRunner, RegionSample
from edgemoe.compression.region_view import Key
from edgemoe.errors import InputError, OptionError

Array = NDArray[Any]

MOST_SUBSETS = 2000


def best_subset(
    model: ir.Model,
    key: Key,
    count: int,
    feeds: Iterable[Mapping[str, Array]],
    *,
    tokens: int = 512,
    most: int = MOST_SUBSETS,
    seed: int = 0,
) -> tuple[tuple[int, ...], float]:
    """Find the experts that change the layer's output least when only they may be chosen.

    min over D of |F(x) - F_{-D}(x)| (Frobenius), with the router masked and renormalised by its own
    rule. Samples of a stream are kept by reservoir sampling, up to about `tokens` tokens; memory is
    their outputs of every expert.

    Args:
        model: after the phase recognise.
        key: the region, see `RegionView.key`.
        count: how many experts stay.
        feeds: arrays by input name, one feed per sample.
        tokens: how many tokens to judge by.
        most: most subsets to try.
        seed: for the reservoir.

    Returns the numbers of the experts that stay, ascending (between equal ones the first in
    lexicographic order), and the error relative to |F(x)|.

    Raises:
        OptionError: there are more subsets than `most`, or the router cannot be masked.
        InputError: there is no sample.
    """
    runner = RegionRunner(model, key)
    experts, least = runner.view.experts, runner.facts.least
    if not least <= count <= experts:
        raise OptionError(
            f"{count} experts cannot stay in {runner.view.label}: it has {experts}, its router "
            f"needs {least}\n  next: a number from {least} to {experts}"
        )
    subsets = math.comb(experts, count)
    if subsets > most:
        raise OptionError(
            f"{runner.view.label} has {subsets:,} subsets of {count} of {experts} experts, the "
            f"limit is {most:,}\n  next: pruning method contribution"
        )
    kept = _reservoir(runner, feeds, max(1, tokens // max(runner.view.tokens, 1)), seed)
    whole = [runner.output(sample, range(experts)) for sample in kept]
    size = math.sqrt(sum(float(np.square(y).sum()) for y in whole))
    best: tuple[float, tuple[int, ...]] = (math.inf, ())
    for subset in itertools.combinations(range(experts), count):
        error = sum(
            float(np.square(y - runner.output(sample, subset)).sum())
            for sample, y in zip(kept, whole, strict=True)
        )
        best = min(best, (error, subset))
    return best[1], math.sqrt(best[0]) / size if size else 0.0


def _reservoir(
    runner: RegionRunner, feeds: Iterable[Mapping[str, Array]], size: int, seed: int
) -> list[RegionSample]:
    """Return `size` samples, each of the stream as likely as any other (Vitter's algorithm R)."""
    random = np.random.default_rng(seed)
    kept: list[Mapping[str, Array]] = []
    for number, feed in enumerate(feeds):
        if number < size:
            kept.append(feed)
        elif (place := int(random.integers(0, number + 1))) < size:
            kept[place] = feed
    if not kept:
        raise InputError(
            "the subset search saw no sample\n  next: give arrays whose shapes fit the inputs"
        )
    return list(runner.samples(kept))
