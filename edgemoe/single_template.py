"""The template of an expert that has no likeness: what is computed for it alone."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.anti_unify import Template
from edgemoe.template_rows import LIFTED


def single_template(value: ir.Value) -> Template | None:
    """Return a template of one copy: constants are parameters, values with other readers leaves."""
    own = _own_nodes(value)
    memo: dict[ir.Value, Template] = {}

    def build(current: ir.Value) -> Template:
        if current not in memo:
            memo[current] = _build(current)
        return memo[current]

    def _build(current: ir.Value) -> Template:
        if graph_facts.is_constant(current):
            size = graph_facts.size_of(current) or 0
            return Template("parameter" if size > 1 else "shared", (current,))
        node = current.producer()
        if node is None or node not in own:
            return Template("shared", (current,))
        children = [_setting(node, i, v) or build(v) if v is not None else None
                    for i, v in enumerate(node.inputs)]  # fmt: skip
        return Template("op", (current,), children)

    node = value.producer()
    return build(value) if node is not None and node in own else None


def _setting(node: ir.Node, index: int, value: ir.Value) -> Template | None:
    """Axes, shapes and split sizes are no parameters of an expert."""
    fixed = index > 0 and graph_facts.is_op(
        node, *graph_facts.RESHAPES, "Split", "Slice", "ReduceSum", "ReduceMean", "ReduceMax"
    )
    return Template("shared", (value,)) if fixed else None


def _own_nodes(value: ir.Value) -> set[ir.Node]:
    """Nodes that can be lifted, and whose results lead to `value` only."""
    first = value.producer()
    if first is None or not graph_facts.is_op(first, *LIFTED):
        return set()
    own = {first}
    todo = [first]
    while todo:
        for source in todo.pop().inputs:
            node = source.producer() if source is not None else None
            if node is None or node in own or not graph_facts.is_op(node, *LIFTED):
                continue
            if graph_facts.is_op(node, "Gemm", "MatMul") and not _constant_matrix(node):
                continue
            readers = {use.node for output in node.outputs for use in output.uses()}
            if readers <= own and not any(o.is_graph_output() for o in node.outputs):
                own.add(node)
                todo.append(node)
                todo.extend(own)  # a node may become free when its last reader joins
    return own


def _constant_matrix(node: ir.Node) -> bool:
    weight = node.inputs[1]
    return graph_facts.is_constant(weight) and len(graph_facts.shape_of(weight) or ()) == 2
