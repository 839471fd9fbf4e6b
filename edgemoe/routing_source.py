"""Where routing begins: operators that choose or weigh along a short axis, and what follows them.

This looks for what *may* be a router, to say why experts were not recognised; nothing is rewritten
by it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.products import constant_factor, nearest_products

MOST_EXPERTS = 4096
_CHOOSING = ("TopK", "ArgMax", "ArgMin", "Hardmax")
_WEIGHING = ("Softmax", "Sigmoid", "Relu", "Softplus", "Clip")
_OURS = ("MoE", "Route", "Combine", "Dispatch")


@dataclass(frozen=True)
class Meeting:
    """A node that combines something routed with `others`, which is not."""

    node: ir.Node
    routed: ir.Value
    others: tuple[ir.Value, ...]


@dataclass
class RoutingSource:
    """An operator that may choose among `experts`; `chosen` is None where all of them count."""

    node: ir.Node
    experts: int
    chosen: int | None
    meetings: list[Meeting] = field(default_factory=list)
    routed: set[ir.Value] = field(default_factory=set)
    logits: list[ir.Value] = field(default_factory=list)


def routing_sources(graph: ir.Graph) -> list[RoutingSource]:
    """Return what may be routers, those that choose first, each with what it meets."""
    position = {node: index for index, node in enumerate(graph)}
    found = [source for node in graph if (source := _source(node)) is not None]
    for source in found:
        _follow(source, position)
    choosing = [source for source in found if source.chosen is not None]
    # The score that a TopK reads is no router of its own.
    weighing = [
        source for source in found
        if source.chosen is None
        and not any(use.node.op_type in _CHOOSING for v in source.routed for use in v.uses())
    ]  # fmt: skip
    return [source for source in (*choosing, *weighing) if source.meetings]


def _source(node: ir.Node) -> RoutingSource | None:
    x = node.inputs[0] if node.inputs else None
    shape = graph_facts.shape_of(x)
    if x is None or not shape or graph_facts.is_constant(x):
        return None
    if graph_facts.is_op(node, *_CHOOSING):
        default = 0 if node.op_type.startswith("Arg") else -1
        experts = shape[graph_facts.axis_of(node, default, len(shape))]
        count = graph_facts.ints_of(node.inputs[1]) if node.op_type == "TopK" else [1]
        chosen = count[0] if count else 1
        if not 2 <= experts <= MOST_EXPERTS:
            return None
        logits = [p.outputs[0] for p in nearest_products(x)] or [x]
        return RoutingSource(node, experts, chosen, logits=logits)
    if not graph_facts.is_op(node, *_WEIGHING):
        return None
    axis = graph_facts.axis_of(node, -1, len(shape)) if node.op_type == "Softmax" else -1
    experts = shape[axis]
    if not 2 <= experts <= MOST_EXPERTS:
        return None
    # One matrix of constants makes the scores of a router; a product of two activations makes
    # those of attention.
    product = _product_before(x)
    return None if product is None else RoutingSource(node, experts, None, logits=[product])


def _product_before(value: ir.Value) -> ir.Value | None:
    """Follow operators with one operand that is no constant up to a product with a constant."""
    for _ in range(16):
        node = value.producer()
        if node is None:
            return None
        if constant_factor(node) is not None:
            return value
        if not graph_facts.is_op(node, *graph_facts.ELEMENTWISE, *graph_facts.MOVEMENTS):
            return None
        inputs = [v for v in node.inputs if v is not None and not graph_facts.is_constant(v)]
        if len(set(inputs)) != 1:
            return None
        value = inputs[0]
    return None


def _follow(source: RoutingSource, position: Mapping[ir.Node, int]) -> None:
    """Walk forward from the logits in the order of the graph, up to what is not routed."""
    source.routed = set(source.logits)
    heap: list[tuple[int, ir.Node]] = []
    queued = set[ir.Node]()

    def queue(value: ir.Value) -> None:
        for use in value.uses():
            if use.node in position and use.node not in queued:
                queued.add(use.node)
                heapq.heappush(heap, (position[use.node], use.node))

    for value in source.logits:
        queue(value)
    while heap:
        node = heapq.heappop(heap)[1]
        if graph_facts.kind_of(node) in _OURS or graph_facts.kind_of(node).startswith("Expert"):
            continue
        moving = [v for v in node.inputs if v is not None and not graph_facts.is_constant(v)]
        others = tuple(v for v in moving if v not in source.routed)
        if others or _gathers_weights(node):
            routed = next(v for v in moving if v in source.routed)
            source.meetings.append(Meeting(node, routed, others))
        elif constant_factor(node) is None:
            source.routed.update(node.outputs)
            for value in node.outputs:
                queue(value)


def _gathers_weights(node: ir.Node) -> bool:
    """Tell whether a constant of rank 3 is gathered by what was chosen."""
    if not graph_facts.is_op(node, "Gather", "GatherND") or not node.inputs:
        return False
    data = node.inputs[0]
    return graph_facts.is_constant(data) and len(graph_facts.shape_of(data) or ()) >= 3
