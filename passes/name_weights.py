"""Read the names of parameters from the exporter's metadata."""

from __future__ import annotations

import ast
import re

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.graph_pass import PassContext, graph_pass

_SCOPES = "pkg.torch.onnx.name_scopes"
_FX = "pkg.torch.onnx.fx_node"
_PARAMETER = re.compile(r"%[pb]_(\w+)")
_MADE_UP = re.compile(r"val_\d+$")


@graph_pass(phase="import", after=("record_origins",), exact="bits")
def name_weights(model: ir.Model, context: PassContext) -> int:
    """Give weights that the exporter renamed the name of the parameter that their reader had.

    Given:  w = Gather(*val_153, ids)  {fx_node: index(%p_mlp_up, [..]), name_scopes: ['', 'mlp']}
    Result: w = Gather(*mlp.up, ids)
    """
    del context
    changes = 0
    for node in model.graph:
        weights = [v for v in node.inputs if v is not None and _is_nameless(v)]
        name = _parameter_of(node) if len(weights) == 1 else None
        if name is None or name in model.graph.initializers or len(weights[0].uses()) > 1:
            continue
        weight = weights[0]
        renamed = ir.Value(
            name=name, shape=weight.shape, type=weight.type, const_value=weight.const_value
        )
        model.graph.register_initializer(renamed)
        for index, value in enumerate(node.inputs):
            if value is weight:
                node.replace_input_with(index, renamed)
        changes += 1
    return changes


def _is_nameless(value: ir.Value) -> bool:
    """Tell whether a value is a matrix of floats, or more, with a name that a program made up."""
    return (
        graph_facts.is_constant(value)
        and value.dtype is not None
        and value.dtype.is_floating_point()
        and len(value.shape or ()) > 1
        and _MADE_UP.match(str(value.name)) is not None
    )


def _parameter_of(node: ir.Node) -> str | None:
    """Return the path of the only parameter that the node's PyTorch operator reads."""
    found = set(_PARAMETER.findall(node.metadata_props.get(_FX, "")))
    if len(found) != 1:
        return None
    try:
        scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "[]"))
    except (ValueError, SyntaxError):
        return None
    flat = found.pop()
    for scope in reversed([str(s) for s in scopes[:-1] if s]):  # the innermost module that owns it
        stem = scope.replace(".", "_") + "_"
        if flat.startswith(stem):
            return f"{scope}.{flat.removeprefix(stem)}"
    return None
