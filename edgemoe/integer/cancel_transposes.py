"""Transpositions of integer graphs that undo each other, through tables and other functions."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.operator_table import DOMAIN

UNARY = ("Table", "Curve", "ChangeScale")


def cancel_transposes(graph: ir.Graph) -> None:
    """Move each transposition behind the functions of one number that follow, and join two."""
    changed = True
    while changed:
        changed = any([_sink(graph, node) or _join(graph, node) for node in list(graph)])


def _perm(node: ir.Node | None) -> list[int] | None:
    if node is None or not graph_facts.is_op(node, "Transpose") or node.graph is None:
        return None
    return [int(axis) for axis in node.attributes["perm"].as_ints()]


def _sink(graph: ir.Graph, node: ir.Node) -> bool:
    """Transpose, function -> function, transpose, where a transposition follows further down."""
    perm = _perm(node)
    user = graph_facts.only_user(node.outputs[0])
    if perm is None or user is None or user.domain != DOMAIN or user.op_type not in UNARY:
        return False
    if not _meets_another(user):
        return False
    source, result = node.inputs[0], user.outputs[0]
    if source is None or result.is_graph_output() or user.inputs[0] is not node.outputs[0]:
        return False
    after, name = result.shape, result.name
    user.replace_input_with(0, source)
    result.shape = source.shape
    graph.remove(node)
    turned = ir.node(
        "Transpose", [result], attributes={"perm": perm}, name=node.name,
        metadata_props=dict(node.metadata_props),
    )  # fmt: skip
    graph.insert_after(user, turned)
    turned.outputs[0].shape, turned.outputs[0].type = after, result.type
    turned.outputs[0].name = f"{name}.turned_back"
    for use in list(result.uses()):
        if use.node is not turned:
            use.node.replace_input_with(use.idx, turned.outputs[0])
    return True


def _meets_another(node: ir.Node) -> bool:
    user: ir.Node | None = node
    while user is not None and user.domain == DOMAIN and user.op_type in UNARY:
        user = graph_facts.only_user(user.outputs[0])
    return _perm(user) is not None


def _join(graph: ir.Graph, node: ir.Node) -> bool:
    """Two transpositions -> one, or none."""
    second = _perm(node)
    source = node.inputs[0] if second is not None else None
    first_node = source.producer() if source is not None else None
    first = _perm(first_node)
    if second is None or first is None or first_node is None or first_node.inputs[0] is None:
        return False
    joined = [first[axis] for axis in second]
    origin = first_node.inputs[0]
    if joined == sorted(joined):
        if node.outputs[0].is_graph_output():
            return False
        node.outputs[0].replace_all_uses_with(origin)
        graph.remove(node, safe=True)
    else:
        node.replace_input_with(0, origin)
        node.attributes["perm"] = ir.AttrInt64s("perm", joined)
    if not first_node.outputs[0].uses() and not first_node.outputs[0].is_graph_output():
        graph.remove(first_node, safe=True)
    return True
