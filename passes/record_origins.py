"""Read PyTorch module paths from the exporter's metadata."""

from __future__ import annotations

import ast

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.graph_pass import PassContext, graph_pass

_SCOPES = "pkg.torch.onnx.name_scopes"


@graph_pass(phase="import", after=("inline_functions",))
def record_origins(model: ir.Model, context: PassContext) -> int:
    """Note on every node the module path that the torch exporter left in its metadata.

    Given:  y = MatMul(x, w)  {name_scopes: ['', 'layers.0.mlp', 'linear']}
    Result: y = MatMul(x, w)  # layers.0.mlp
    """
    del context
    changes = 0
    for graph in graph_facts.graphs_of(model):
        for node in graph:
            if graph_facts.ORIGIN not in node.metadata_props:
                node.metadata_props[graph_facts.ORIGIN] = _module(node)
                changes += 1
    return changes


def _module(node: ir.Node) -> str:
    """Return the innermost module: the last scope is the operator itself."""
    text = node.metadata_props.get(_SCOPES, "")
    try:
        scopes = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError):
        return ""
    modules = [str(scope) for scope in scopes[:-1] if scope]
    return modules[-1] if modules else ""
