"""Remove what nothing reads."""

from __future__ import annotations

import onnx_ir as ir


def remove_dead_nodes(graph: ir.Graph) -> int:
    """Remove nodes without users, then initialisers without users; returns how many."""
    removed = 0
    for node in reversed(graph):
        if not any(output.uses() or output.is_graph_output() for output in node.outputs):
            _let_go(node)
            graph.remove(node, safe=True)
            removed += 1
    inputs = set(graph.inputs)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output() and value not in inputs:
            del graph.initializers[name]
            removed += 1
    return removed


def _let_go(node: ir.Node) -> None:
    """Drop what the branches of a node read: their nodes would stay users of it for ever."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH and not attribute.is_ref():
            for inner in attribute.as_graph():
                _let_go(inner)
                for place in range(len(inner.inputs)):
                    inner.replace_input_with(place, None)
