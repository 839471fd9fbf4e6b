"""Cuts a graph into sections that run one after another, so that candidates share the first ones.

Candidates that differ in late layers compute the same in all layers before: what lies between two
sections is kept (`prefixes`), and a run begins where its candidate first differs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.pass_check import onnxruntime_session

Array = NDArray[Any]

MOST = 8
"""Sections of a graph."""

LEAST_WEIGHTS = 100_000
"""Numbers in the weights of a section: below, opening and calling it costs more than it saves."""


@dataclass(frozen=True)
class Section:
    """A part of a graph in onnxruntime.

    `live` are the values that exist after it and are read later, or are outputs of the graph;
    `weights` are those (of the names that were asked for) that no section before reads.
    """

    session: Any
    inputs: tuple[str, ...]
    made: tuple[str, ...]
    live: tuple[str, ...]
    weights: tuple[str, ...]

    def run(self, given: Mapping[str, Array], state: Mapping[str, Array]) -> dict[str, Array]:
        """From the inputs of the graph and the state before to the state after."""
        feed = {name: state[name] if name in state else given[name] for name in self.inputs}
        made = dict(zip(self.made, self.session.run(list(self.made), feed), strict=True))
        return {name: made[name] if name in made else state[name] for name in self.live}


def sections_of(model: ir.Model, weights: Collection[str]) -> list[Section]:
    """Open a graph of static shapes as sections of about as many weights.

    Args:
        model: its values have names; it is left as it is.
        weights: names of inputs that candidates replace.
    """
    cuts = _cuts(model, set(weights))
    bounds = [0, *cuts, len(model.graph)]
    found, seen = [], set[str]()
    for start, end in pairwise(bounds):
        section = _open(model, start, end, set(weights) - seen)
        seen |= set(section.weights)
        found.append(section)
    return found


def _cuts(model: ir.Model, weights: set[str]) -> list[int]:
    """Places in front of nodes: evenly spread over the weights, where little is alive."""
    sizes = {str(v.name): _numbers(v) for v in model.graph.inputs if str(v.name) in weights}
    done, work = set[str](), [0]
    for node in model.graph:
        new = {str(value.name) for value in reads(node)} & sizes.keys() - done
        done |= new
        work.append(work[-1] + sum(sizes[name] for name in new))
    count = min(MOST, 1 + work[-1] // LEAST_WEIGHTS)
    alive = _alive_bytes(model)
    cuts = []
    for number in range(1, count):
        wanted, slack = number * work[-1] / count, work[-1] / (2 * count)
        near = [
            place for place in range(1, len(model.graph))
            if abs(work[place] - wanted) <= slack and math.isfinite(alive[place])
        ]  # fmt: skip
        if near:
            cuts.append(min(near, key=lambda p, w=wanted: (alive[p], abs(work[p] - w))))  # type: ignore[misc]
    return sorted(set(cuts))


def _numbers(value: ir.Value) -> int:
    return graph_facts.size_of(value) or 0


def _alive_bytes(model: ir.Model) -> list[float]:
    """Per place in front of a node the bytes that cross it; infinite where a size is unknown."""
    change = [0.0] * (len(model.graph) + 1)
    unknown = [0] * (len(model.graph) + 1)
    for value, start, end in _lives(model):
        shape = graph_facts.shape_of(value)
        known = shape is not None and value.dtype is not None
        size = math.prod(shape) * 4 if known and shape is not None else 0  # 4 is near enough
        for place, sign in ((start + 1, 1), (end + 1, -1)):
            if place < len(change):
                change[place] += sign * size
                unknown[place] += sign * (not known)
    bytes_at, unknown_at = np.cumsum(change), np.cumsum(unknown)
    return [float("inf") if u else float(b) for b, u in zip(bytes_at, unknown_at, strict=True)]


def _lives(model: ir.Model) -> Iterator[tuple[ir.Value, int, int]]:
    """Every value that a node makes: the number of that node, and of the last that reads it."""
    last: dict[ir.Value, int] = {}
    for number, node in enumerate(model.graph):
        for value in reads(node):
            last[value] = number
    for value in model.graph.outputs:
        last[value] = len(model.graph)
    for number, node in enumerate(model.graph):
        for value in node.outputs:
            if value in last:
                yield value, number, last[value]


def reads(node: ir.Node) -> Iterator[ir.Value]:
    """What a node reads, its branches and loops included; some of it may be made inside of them."""
    yield from (value for value in node.inputs if value is not None)
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            graph = attribute.as_graph()
            for inner in graph:
                yield from reads(inner)
            yield from graph.outputs


def _open(model: ir.Model, start: int, end: int, weights: set[str]) -> Section:
    """The nodes from `start` to before `end` as a session."""
    lives = [(str(v.name), first, last) for v, first, last in _lives(model)]
    before = [name for name, first, last in lives if first < start <= last]
    live = tuple(name for name, first, last in lives if first < end <= last)
    made = tuple(name for name, first, last in lives if start <= first < end <= last)
    copy = model.clone()
    values = {str(value.name): value for node in copy.graph for value in node.outputs}
    copy.graph.outputs[:] = [values[name] for name in made]
    for name in before:
        old = values[name]
        if not old.is_graph_output():
            given = ir.Value(name=name, shape=old.shape, type=old.type)
            old.name = f"{name}.before"
            old.replace_all_uses_with(given)
            copy.graph.inputs.append(given)
    remove_dead_nodes(copy.graph)
    copy.graph.inputs[:] = [v for v in copy.graph.inputs if v.uses() or v.is_graph_output()]
    session = onnxruntime_session(copy, threads=1, optimise=True)
    inputs = tuple(value.name for value in session.get_inputs())
    return Section(session, inputs, made, live, tuple(n for n in inputs if n in weights))
