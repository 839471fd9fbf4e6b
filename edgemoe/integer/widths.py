"""Which tensors start with 16 bits: those whose rounding reaches everything behind them.

Inputs and outputs, sums of two activations (residual streams) and what norms read, and what decides
about experts. All others start with 8 bits; a search may widen more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.constraints import moved_from
from edgemoe.integer.expand_blocks import scores_of
from edgemoe.integer.ranges import is_float

LARGEST_CONSTANT = 1 << 12
"""Constants with no more elements than this that are added or looked up have 16 bits."""

Widths = Callable[[ir.Value], int]


def start_of(graph: ir.Graph) -> frozenset[str]:
    """Names of the tensors that start with 16 bits."""
    found = {v for v in (*graph.inputs, *graph.outputs) if is_float(v)}
    for node in graph:
        if graph_facts.is_op(node, "Add", "Sub") and not any(
            map(graph_facts.is_constant, node.inputs)
        ):
            found.add(node.outputs[0])
        if graph_facts.is_op(node, "Where") and any(
            graph_facts.is_op(use.node, "Softmax") for use in node.outputs[0].uses()
        ):
            found.add(node.outputs[0])  # logits and what hides them, in one scale
        rows = node.inputs[0] if graph_facts.kind_of(node) == "Combine" else None
        if rows is not None and scores_of(_ids_of(rows)) is not None:
            found.add(rows)  # a sum of many, as exact as one product would be
        if graph_facts.is_op(node, "LayerNormalization", "RMSNormalization", "TopK"):
            found |= set(moved_from(node.inputs[0]))
        if graph_facts.is_op(node, "TopK"):
            before = graph_facts.made_by(node.inputs[0], "Softmax", "Sigmoid")
            if before is not None:
                found |= set(moved_from(before.inputs[0]))
    return frozenset(str(v.name) for v in found)


def _ids_of(rows: ir.Value) -> ir.Value | None:
    """The experts of rows."""
    node = rows.producer()
    return node.inputs[1] if node is not None and len(node.inputs) > 1 else None


def widths(wide: Iterable[str], narrow: Iterable[str] = ()) -> Widths:
    """16 bits for the names in `wide` and for small constants, else 8."""
    names, kept = frozenset(wide), frozenset(narrow)

    def bits(value: ir.Value) -> int:
        if graph_facts.is_constant(value):
            size = graph_facts.size_of(value) or 0
            return 16 if size <= LARGEST_CONSTANT else 8
        return 16 if value.name in names and value.name not in kept else 8

    return bits


def matching(names: Iterable[str], patterns: Iterable[str]) -> frozenset[str]:
    """The names that match one of the shell patterns."""
    wanted = list(patterns)
    return frozenset(n for n in names if any(fnmatchcase(n, pattern) for pattern in wanted))
