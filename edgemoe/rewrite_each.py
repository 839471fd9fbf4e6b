"""Replace every node of some operators by others: the frame that the expansions share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, replace

Rule = Callable[[Emitter, ir.Node], Sequence[ir.Value | None] | None]


def rewrite_each(
    model: ir.Model, op_types: Collection[str], rule: Rule, *, domains: Collection[str] = ("",)
) -> int:
    """Apply `rule` to every node of these operators in the graph and in its subgraphs.

    Args:
        model: changed in place.
        op_types: the operators.
        rule: returns what replaces the outputs, in order (None: an output that nobody reads), or
            None to leave the node as it is.
        domains: the domains that the operators may be in.

    Returns how many nodes were replaced.
    """
    changes = 0
    for graph in list(graph_facts.graphs_of(model)):
        for node in list(graph):
            if node.op_type not in op_types or node.domain not in domains:
                continue
            if not any(o.uses() or o.is_graph_output() for o in node.outputs):
                continue
            results = rule(Emitter(node), node)
            if results is None:
                continue
            for old, new in zip(node.outputs, results, strict=False):
                read = old.uses() or old.is_graph_output()
                if new is not None and read and not replace(old, new):
                    replace(old, Emitter(node).op("Identity", new))
            changes += 1
    return changes
