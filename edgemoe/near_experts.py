"""Find what looks like experts but was not matched: the nearest misses beyond the passes' notes.

Starting from what may be a router, see what it meets: expert weights that are stacked in one
constant of rank 3 or more, or as many computations alike with weights of their own. A router alone,
or branches alone (query, key and value; heads; repeated layers), are no experts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.anti_unify import AntiUnifier, difference
from edgemoe.products import constant_factor
from edgemoe.routing_source import Meeting, RoutingSource, routing_sources

_WALK = 20_000  # nodes looked at behind the meetings of one router
_AFTER = ("Einsum", "ReduceSum", "ReduceMean", "ScatterND", "ScatterElements",
          *graph_facts.ELEMENTWISE, *graph_facts.MOVEMENTS)  # fmt: skip


@dataclass
class NearExperts:
    """Experts that no pass matched."""

    form: str  # "unrolled", "stacked" or "gathered"
    source: RoutingSource
    node: ir.Node  # where they meet the router
    reason: str
    weights: list[ir.Value]
    dense: bool  # every expert sees every token
    products: list[ir.Node] = field(default_factory=list)

    @functools.cached_property
    def nodes(self) -> frozenset[str]:
        """Names of the nodes where experts meet the router, and of those that follow.

        A pass that declines names one of these, the end of a sum for example.
        """
        nodes = {meeting.node for meeting in self.source.meetings} | {self.node, *self.products}
        todo = list(nodes)
        while todo and len(nodes) < 64 + 16 * self.source.experts:
            for output in todo.pop().outputs:
                for use in output.uses():
                    if use.node not in nodes and graph_facts.is_op(use.node, *_AFTER):
                        nodes.add(use.node)
                        todo.append(use.node)
        return frozenset(graph_facts.name_of(node) for node in nodes)

    @property
    def text(self) -> str:
        """One sentence."""
        how = {"unrolled": "one by one", "stacked": "in batched products",
               "gathered": "with gathered weights"}[self.form]  # fmt: skip
        return f"{self.source.experts} experts computed {how} were not recognised: {self.reason}"


def near_experts(model: ir.Model) -> list[NearExperts]:
    """Return the experts that are left in a graph after the phase recognise."""
    graph = model.graph
    found: list[NearExperts] = []
    taken = set[ir.Value]()
    stacked = {
        extent for v in graph.initializers.values() for extent in _leading(v)
    }  # fmt: skip
    for source in routing_sources(graph):
        columns = _columns(source)
        if source.experts not in stacked and not columns and not _may_be_stack(source):
            continue
        near = _look(source, columns)
        if near is None or taken & set(near.weights):
            continue
        taken.update(near.weights)
        found.append(near)
    return found


def _leading(value: ir.Value) -> tuple[int, ...]:
    """Extents of a constant that may count experts: all but the last two of three or more."""
    shape = graph_facts.shape_of(value) or ()
    return shape[:-2] if len(shape) >= 3 else ()


def _columns(source: RoutingSource) -> list[list[Meeting]]:
    """Group the meetings that may each have the routing of one expert, by operator."""
    groups: dict[str, list[Meeting]] = {}
    for meeting in source.meetings:
        if any(_is_computed(value) for value in meeting.others):
            groups.setdefault(meeting.node.op_type, []).append(meeting)
    return [group for group in groups.values() if 2 <= len(group) <= source.experts]


def _is_computed(value: ir.Value) -> bool:
    return value.producer() is not None


def _may_be_stack(source: RoutingSource) -> bool:
    return any(source.experts in (graph_facts.shape_of(value) or ())
               for meeting in source.meetings for value in meeting.others)  # fmt: skip


def _look(source: RoutingSource, columns: list[list[Meeting]]) -> NearExperts | None:
    before = graph_facts.ancestors(source.logits)
    for meeting in source.meetings:
        weights = _gathered(meeting)
        if weights:
            reason = f"{_named(meeting.node)} gathers weights in a form that no pass knows"
            return NearExperts("gathered", source, meeting.node, reason, weights, dense=False)
    found = _stacked(source, before) or _listed(source, before)
    for group in columns:
        found = found or _unrolled(source, group, before)
    return found


def _gathered(meeting: Meeting) -> list[ir.Value]:
    data = meeting.node.inputs[0]
    if meeting.others or data is None:
        return []
    return [data]


def _behind(
    values: Iterable[ir.Value], source: RoutingSource, before: set[ir.Node]
) -> list[ir.Node]:
    """Return the nodes that lead to `values` and are neither routing nor before the router."""
    found: dict[ir.Node, None] = {}
    todo = list(values)
    while todo and len(found) < _WALK:
        value = todo.pop()
        node = value.producer()
        if node is None or node in found or node in before or value in source.routed:
            continue
        found[node] = None
        todo.extend(v for v in node.inputs if v is not None)
    return list(found)


def _others(source: RoutingSource) -> list[ir.Value]:
    """Return what the routing meets; the accumulator of a scatter is no expert."""
    return [
        value for meeting in source.meetings for value in meeting.others
        if not (meeting.node.op_type.startswith("Scatter") and value is meeting.node.inputs[0])
    ]  # fmt: skip


def _stacked(source: RoutingSource, before: set[ir.Node]) -> NearExperts | None:
    """Find constants with one matrix per expert in batched products."""
    met = {meeting.node for meeting in source.meetings}
    nodes = _behind(_others(source), source, before)
    nodes += [n for n in _ahead(source) if n not in nodes]
    products = [
        node for node in nodes
        if graph_facts.is_op(node, "MatMul", "Einsum")
        and source.experts in _leading(constant_factor(node) or node.outputs[0])
        and constant_factor(node) is not None
    ]  # fmt: skip
    if not products:
        return None
    weights = [constant_factor(node) for node in products]
    place = products[0]
    reason = (
        f"{_named(place)} multiplies with every expert, and the weights of {_named(source.node)} "
        "are applied in a form that no pass knows"
    )
    return NearExperts("stacked", source, place, reason,
                       list(dict.fromkeys(w for w in weights if w is not None))[::-1],
                       dense=not any(n.op_type == "NonZero" for n in met),
                       products=products)  # fmt: skip


def _ahead(source: RoutingSource) -> list[ir.Node]:
    """Return the nodes between routed inputs of experts and their products."""
    found: dict[ir.Node, None] = {}
    todo = [value for meeting in source.meetings for value in meeting.node.outputs]
    through = (*graph_facts.ELEMENTWISE, *graph_facts.MOVEMENTS)
    while todo and len(found) < 64:
        for use in todo.pop(0).uses():
            node = use.node
            factor = constant_factor(node)
            batched = factor is not None and source.experts in _leading(factor)
            if node in found or not (batched or graph_facts.is_op(node, *through)):
                continue
            found[node] = None
            todo.extend(node.outputs)
    return list(found)


def _listed(source: RoutingSource, before: set[ir.Node]) -> NearExperts | None:
    """Find the outputs of all experts stacked in one tensor, of which the routing takes some."""
    for node in _behind(_others(source), source, before):
        if graph_facts.is_op(node, "Concat") and len(node.inputs) == source.experts:
            near = _alike([v for v in node.inputs if v is not None], source, node, before)
            if near is not None:
                return near
    return None


def _unrolled(
    source: RoutingSource, columns: list[Meeting], before: set[ir.Node]
) -> NearExperts | None:
    node = columns[-1].node
    values = [
        next(
            v for v in reversed(meeting.others)
            if _is_computed(v) or v is meeting.others[0]
        )
        for meeting in columns
    ]  # fmt: skip
    return _alike(values, source, node, before)


def _alike(
    values: Sequence[ir.Value], source: RoutingSource, node: ir.Node, before: set[ir.Node]
) -> NearExperts | None:
    """Experts whose results are `values`, if each has weights of its own."""
    own = [_weights_behind([value], source, before) for value in values]
    everywhere = set.intersection(*map(set, own))
    own = [[w for w in weights if w not in everywhere] for weights in own]
    if not all(own):
        return None
    template = AntiUnifier().unify(values)
    if template is None:
        reason = f"they are not computed alike, {difference(values)}"
    else:
        reason = (
            f"they meet the weights of {_named(source.node)} at {_named(node)} in a form that no "
            "pass knows"
        )
    met = {meeting.node for meeting in source.meetings}
    nodes = _behind(values, source, before)
    weights = list(dict.fromkeys(weight for each in own for weight in each))
    return NearExperts("unrolled", source, node, reason, weights,
                       dense=not any(n in met and n.op_type != "Mul" for n in nodes))  # fmt: skip


def _weights_behind(
    values: list[ir.Value], source: RoutingSource, before: set[ir.Node]
) -> list[ir.Value]:
    factors = (constant_factor(node) for node in _behind(values, source, before))
    return list(dict.fromkeys(f for f in factors if f is not None))[::-1]


def _named(node: ir.Node) -> str:
    return f"{graph_facts.name_of(node)} ({node.op_type})"
