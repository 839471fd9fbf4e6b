"""What is compressed: a model, its data, and who judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.buckets import Buckets, feed_for
from edgemoe.compression.metrics import Metric, metrics_of
from edgemoe.compression.samples import Samples, samples_of
from edgemoe.errors import InputError
from edgemoe.frontend import Source
from edgemoe.plugins import Plugin

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Task:
    """What to compress: the model, its data, and who judges."""

    source: Source
    buckets: Buckets
    count: int | None  # tokens of a sample
    samples: Samples
    metrics: Mapping[str, Metric]
    plugins: Sequence[Plugin] = ()


def task_of(
    source: Source,
    buckets: Buckets,
    given: Mapping[str, Array],
    metric: str,
    plugins: Sequence[Plugin] = (),
    only: Mapping[str, str] | None = None,
) -> Task:
    """Fit calibration arrays to the model; `only` keeps the samples of one task or domain.

    Raises:
        InputError: names, shapes or types do not fit.
        OptionError: the metric does not.
    """
    count = _tokens_of(source, buckets, given)
    graph = buckets.bind(count)
    rest = feed_for(graph, source.examples, source.states)
    samples = samples_of(given, graph, rest, only)
    outputs = {
        str(value.name): graph_facts.shape_of(value) or ()
        for value in graph.graph.outputs
        if value.dtype is not None
        and value.dtype.is_floating_point()
        and str(value.name) not in source.states.values()
    }
    metrics = metrics_of(metric, outputs, samples.targets)
    if not metrics:
        raise InputError("the model has no output of floats that a loss could be measured on")
    return Task(source, buckets, count, samples, metrics, plugins)


def _tokens_of(source: Source, buckets: Buckets, given: Mapping[str, Array]) -> int | None:
    """The token count of the samples: the extent where an input has its token axis."""
    if buckets.dimension is None:
        return buckets.counts[0]
    for info in buckets.infos(source.states)[0]:
        array = given.get(info.name)
        if info.token_axis is None or array is None:
            continue
        axis = info.token_axis
        if array.ndim - 1 == len(info.shape) - 1:  # a leading axis of 1 was left out
            axis -= 1
        if 0 <= axis < array.ndim - 1:
            return int(array.shape[1 + axis])
    return buckets.counts[-1]
