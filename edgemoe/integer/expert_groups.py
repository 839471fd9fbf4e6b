"""Groups the experts of a layer: their products, and what lies between them.

A microcontroller runs such a group expert by expert, so that the weights of an expert are read (or
copied from slow memory) once per call, and what lies between needs room for the rows of one expert.
"""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.operator_table import DOMAIN

MEMBERS = "edgemoe.members"
"""Where a node `Experts` keeps the nodes that it stands for, in order (see `members_of`)."""

PRODUCTS = ("ExpertLinear", "ExpertSum")
"""Products with the matrices of experts."""

_BETWEEN = ("Table", "Curve", "Add", "Mul", "ChangeScale", "Norm", "WeighRows")
"""Operators that compute every row by itself."""


_DYNAMIC = {"ExpertSum": 3, "ExpertLinear": 2, "Add": 2, "Mul": 2, "WeighRows": 2}
"""Inputs that may be activations, where it is not the first alone."""


def group_experts(graph: ir.Graph) -> int:
    """Replace groups of nodes by nodes `Experts` of the domain; gives their number.

    A group begins with products that gather their rows, and ends with a product whose rows go to
    their places; every tensor in between is read inside of the group only. What is not of this
    form becomes groups of one product.
    """
    count = 0
    for node in list(graph):
        if _is_product(node) and node.graph is graph:
            _replace(graph, _members(graph, node), count)
            count += 1
    return count


def members_of(node: ir.Node) -> list[ir.Node]:
    """The nodes that a node `Experts` stands for; the last one makes its result."""
    found: list[ir.Node] = node.meta[MEMBERS]
    return found


def _replace(graph: ir.Graph, members: list[ir.Node], number: int) -> None:
    last = members[-1]
    made = {v for n in members for v in n.outputs}
    outside = [v for n in members for v in n.inputs if v is not None and v not in made]
    old = last.outputs[0]
    new = ir.Value(name=f"{old.name}.group", shape=old.shape, type=old.type)
    group = ir.Node(
        DOMAIN, "Experts", list(dict.fromkeys(outside)), outputs=[new],
        name=f"experts_{number}", metadata_props=dict(last.metadata_props),
    )  # fmt: skip
    group.meta[MEMBERS] = members
    graph.insert_before(last, group)
    ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
    for member in members:
        graph.remove(member)


def _is_product(node: ir.Node | None) -> bool:
    return node is not None and node.domain == DOMAIN and node.op_type in PRODUCTS


def _members(graph: ir.Graph, first: ir.Node) -> list[ir.Node]:
    """The nodes between products of the same ids, in order; only `first` if they are not closed."""
    ids = first.inputs[1]
    products = [n for n in graph if _is_product(n) and n.inputs[1] is ids]
    made: set[ir.Value] = set()
    members: list[ir.Node] = []
    for node in graph:
        own = [v for v in node.inputs if v in made]
        if node in products or (own and node.domain == DOMAIN and node.op_type in _BETWEEN):
            if not all(_is_given(v) for v in node.inputs[_dynamic(node) :]):
                return [first]
            others = [v for v in node.inputs[: _dynamic(node)] if v not in made]
            per_row = node in products or node.op_type == "WeighRows"
            if not per_row and not all(_fits(v, node) for v in others):
                continue
            if node in products and own and graph_facts.attribute(node, "shared", 1) != 1:
                return [first]
            members.append(node)
            made.update(node.outputs)
    last = [n for n in members if n in products and not _read_inside(n, members)]
    if len(last) != 1 or last[0] is not members[-1]:
        return [first]
    inside = {v for n in members[:-1] for v in n.outputs}
    escapes = any(use.node not in members for v in inside for use in v.uses())
    if escapes or any(v in graph.outputs for v in inside):
        return [first]
    return members


def _dynamic(node: ir.Node) -> int:
    """How many inputs may be activations."""
    return _DYNAMIC.get(node.op_type, 1)


def _is_given(value: ir.Value | None) -> bool:
    return value is None or graph_facts.array_of(value) is not None


def _fits(value: ir.Value | None, node: ir.Node) -> bool:
    """A constant that is the same for every row."""
    if value is None or not _is_given(value):
        return False
    shape, result = graph_facts.shape_of(value), graph_facts.shape_of(node.outputs[0])
    if shape is None or result is None:
        return False
    padded = (1,) * (len(result) - len(shape)) + shape
    return all(extent == 1 for extent in padded[:-1])


def _read_inside(node: ir.Node, members: list[ir.Node]) -> bool:
    return any(use.node in members for v in node.outputs for use in v.uses())
