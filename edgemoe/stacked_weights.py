"""E separate weights as one [E, ...], without copying what is large."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import derived_constant

SLICE = "edgemoe.slice"  # value.meta: (the constant, the index) that this value is a row of


def stack(graph: ir.Graph, values: Sequence[ir.Value], suffix: str = "stacked") -> ir.Value:
    """Return a constant whose row e is `values[e]`; the file's own tensor where they came from it.

    The name is what the names have in common, `mlps.N.up.weight` for `mlps.0.up.weight` and so on.
    """
    whole = _whole(graph, values)
    if whole is not None:
        return whole
    tensors = [value.const_value for value in values]
    first = tensors[0]
    shape = graph_facts.shape_of(values[0])
    assert first is not None and shape is not None
    names = [str(value.name) for value in values]
    head = _common(names)
    tail = _common([name[len(head) :][::-1] for name in names])[::-1]
    stem = f"{head}N{tail}" if head or tail else names[0]

    def compute() -> np.ndarray:
        return np.stack([tensor.numpy() for tensor in tensors if tensor is not None])

    return derived_constant(graph, f"{stem}.{suffix}", first.dtype, (len(values), *shape), compute)


def _common(names: Sequence[str]) -> str:
    """Return the longest prefix of all names."""
    first, last = min(names), max(names)
    count = 0
    while count < len(first) and first[count] == last[count]:
        count += 1
    return first[:count]


def _whole(graph: ir.Graph, values: Sequence[ir.Value]) -> ir.Value | None:
    origins: list[tuple[ir.Value, int]] = [
        value.meta[SLICE] for value in values if SLICE in value.meta
    ]
    if len(origins) != len(values):
        return None
    sources = {id(source) for source, _ in origins}
    source = origins[0][0]
    shape = graph_facts.shape_of(source)
    if len(sources) != 1 or shape is None or shape[0] != len(values):
        return None
    if [index for _, index in origins] != list(range(len(values))):
        return None
    if graph.initializers.get(str(source.name)) is not source:
        if str(source.name) in graph.initializers:
            return None
        graph.register_initializer(source)
    return source
