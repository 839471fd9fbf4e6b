"""Calibration of a program that reads one token per call: its states as they are along a text.

Samples hold whole sequences. The float graph reads each token by token, and the inputs of some
calls, states among them, become samples of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.samples import FEWEST, Samples

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]

MOST_BYTES = 64 << 20
"""Bytes of all samples: states may be large."""

MOST = 256
"""Samples that are taken at most."""


def stepped(
    samples: Samples, states: Mapping[str, str], graph: ir.Model, run: Run, seed: int
) -> Samples:
    """Samples that fit `graph`; those given where they do, or where nothing steps.

    Args:
        samples: sequences, from states of zero.
        states: the output that follows each input that is a state.
        graph: for one token per call.
        run: runs it, from inputs to all outputs.
        seed: of the places that samples are taken at.
    """
    axes = {
        name: axis
        for name, array in samples.arrays.items()
        if (axis := _token_axis(graph, name, array.shape[1:])) is not None
    }
    if not states or not axes or any(name in samples.arrays for name in states):
        return samples
    length = min(samples.arrays[name].shape[1 + axis] for name, axis in axes.items())
    start = _states(graph, states)
    each = sum(array.nbytes for array in start.values())
    count = min(MOST, len(samples) * length, max(FEWEST, MOST_BYTES // max(each, 1)))
    places = _places(samples.numbers, length, count, seed)
    kept = list(_walk(samples, axes, states, start, run, places))
    arrays = {name: np.stack([feed[name] for feed, _ in kept]) for name in kept[0][0]}
    targets = {name: np.stack([target[name] for _, target in kept]) for name in kept[0][1]}
    return Samples(arrays, targets, {}, tuple(range(len(kept))))


def _token_axis(graph: ir.Model, name: str, shape: tuple[int, ...]) -> int | None:
    """The axis where the graph has one token and a sample has more."""
    value = next((v for v in graph.graph.inputs if v.name == name), None)
    wanted = None if value is None else graph_facts.shape_of(value)
    if wanted is None or len(wanted) != len(shape):
        return None
    differs = [axis for axis, extent in enumerate(shape) if extent != wanted[axis]]
    return differs[0] if len(differs) == 1 and wanted[differs[0]] == 1 else None


def _states(graph: ir.Model, states: Mapping[str, str]) -> dict[str, Array]:
    found = {}
    for value in graph.graph.inputs:
        shape = graph_facts.shape_of(value)
        if str(value.name) in states and shape is not None and value.dtype is not None:
            found[str(value.name)] = np.zeros(shape, value.dtype.numpy())
    return found


def _places(
    numbers: tuple[int, ...], length: int, count: int, seed: int
) -> dict[int, NDArray[np.int64]]:
    """Places of each sequence, sorted: evenly many, at random."""
    chance = np.random.default_rng(seed)
    order = chance.permutation(np.array(numbers))
    shares = [count // len(order) + (n < count % len(order)) for n in range(len(order))]
    return {
        int(number): np.sort(chance.choice(length, min(share, length), replace=False))
        for number, share in zip(order, shares, strict=True) if share
    }  # fmt: skip


def _walk(
    samples: Samples, axes: Mapping[str, int], states: Mapping[str, str],
    start: Mapping[str, Array], run: Run, places: Mapping[int, NDArray[np.int64]],
) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:  # fmt: skip
    """Feeds and targets of the calls at `places`."""
    for number in sorted(places):
        whole, target = samples.feed(number), samples.target(number)
        now = dict(start)
        wanted = set(places[number].tolist())
        for place in range(max(wanted) + 1):
            feed = {
                name: np.take(array, [place], axes[name]) if name in axes else array
                for name, array in whole.items() if name not in states
            } | now  # fmt: skip
            if place in wanted:
                yield feed, {name: array[..., place, None] for name, array in target.items()}
            made = run(feed)
            now = {name: np.asarray(made[output]) for name, output in states.items()}
