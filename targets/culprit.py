"""Which node of a graph cannot be lowered: each is tried in a graph of its own."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.errors import EdgemoeError, UnsupportedOpError


def unsupported(node: ir.Node, reason: str) -> str:
    """The message for an operator that cannot be lowered."""
    domain = f"{node.domain}::" if node.domain else ""
    origin = graph_facts.origin_of(node)
    where = f" (PyTorch module {origin})" if origin else ""
    return (
        f"operator {domain}{node.op_type} of node {node.name!r}{where} is not supported: {reason}\n"
        "  next: replace the operator in the model, or write a decomposition pass "
        "(docs/writing-a-pass.md)"
    )


def name_the_culprit(
    model: ir.Model, error: Exception, lower_alone: Callable[[ir.Model], object]
) -> UnsupportedOpError:
    """The error for a graph that failed with `error`, by the first node that fails alone."""
    for node in model.graph:
        try:
            lower_alone(_alone(model, node))
        except Exception as found:  # whatever TVM raises: it is this node that it cannot lower
            return UnsupportedOpError(unsupported(node, reason_of(found)))
    if isinstance(error, UnsupportedOpError):
        return error
    return UnsupportedOpError(
        f"the graph cannot be lowered: {reason_of(error)}\n"
        "  next: every operator alone can be lowered; -vv shows where it failed, please report it"
    )


def reason_of(error: Exception) -> str:
    """What an error of TVM says, as one short line."""
    if isinstance(error, EdgemoeError):
        return str(error).splitlines()[0].removeprefix("the graph cannot be lowered: ")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else repr(error))[:200]


def _alone(model: ir.Model, node: ir.Node) -> ir.Model:
    """A graph of this node; what it computes with comes from inputs and constants."""
    values: dict[ir.Value, ir.Value] = {}
    inputs, constants = [], []
    for value in node.inputs:
        if value is None or value in values:
            continue
        copy = ir.Value(name=value.name, shape=value.shape, type=value.type)
        if graph_facts.is_constant(value):
            copy.const_value = value.const_value
            constants.append(copy)
        else:
            inputs.append(copy)
        values[value] = copy
    clone = ir.Node(
        node.domain,
        node.op_type,
        [None if v is None else values[v] for v in node.inputs],
        list(node.attributes.values()),
        overload=node.overload,
        outputs=[ir.Value(name=v.name, shape=v.shape, type=v.type) for v in node.outputs],
        name=node.name,
    )
    clone.metadata_props.update(node.metadata_props)
    used = [new for old, new in zip(node.outputs, clone.outputs, strict=True) if old.name]
    graph = ir.Graph(
        inputs, used, nodes=[clone], initializers=constants, name="alone",
        opset_imports=dict(model.graph.opset_imports),
    )  # fmt: skip
    return ir.Model(graph, ir_version=10, functions=list(model.functions.values()))
