"""What operators ask of the scales of their inputs, found before the conversion.

A product of two activations takes zero points of 0, and an int8 second factor. What is written
into a cache has the cache's scale, and so has what the next call reads from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.ranges import Seen, is_float

MOVED = (*graph_facts.MOVEMENTS, "Gather", "GatherND", "ScatterND", "ScatterElements")


@dataclass
class Constraints:
    """Names of values: with zero point 0, and with 8 bits whatever is asked for."""

    symmetric: set[str] = field(default_factory=set)
    narrow: set[str] = field(default_factory=set)


def constraints_of(graph: ir.Graph) -> Constraints:
    """Look at the products of two activations."""
    found = Constraints()
    for node in graph:
        if not graph_facts.is_op(node, "MatMul") or any(map(graph_facts.is_constant, node.inputs)):
            continue
        for place, source in enumerate(node.inputs[:2]):
            for value in moved_from(source):
                found.symmetric.add(str(value.name))
                if place == 1:
                    found.narrow.add(str(value.name))
    return found


def moved_from(value: ir.Value | None) -> Iterator[ir.Value]:
    """A value and those whose elements it holds."""
    todo, seen = [value], set[ir.Value]()
    while todo:
        current = todo.pop()
        if current is None or current in seen or not is_float(current):
            continue
        seen.add(current)
        yield current
        node = current.producer()
        if graph_facts.is_op(node, *MOVED) and node is not None:
            todo.extend(node.inputs)


def tie_caches(graph: ir.Graph, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """What was seen of a tensor and of what is written into it, as one."""
    found = dict(seen)
    for node in graph:
        if graph_facts.is_op(node, "ScatterND", "ScatterElements"):
            names = [str(node.inputs[0].name), str(node.outputs[0].name)]  # type: ignore[union-attr]
            if all(name in found for name in names):
                both = found[names[0]].joined(found[names[1]])
                found.update(dict.fromkeys(names, both))
    return found
