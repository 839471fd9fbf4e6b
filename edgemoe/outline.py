"""Move part of a graph into a model-local function that is called once."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import replace
from edgemoe.graph_facts import DOMAIN, KIND, ORIGIN
from edgemoe.regions import OPSET

_FEW = 32
INLINE_ELEMENTS = 64  # constants up to this size live in the body, larger ones are inputs


def free_name(model: ir.Model, stem: str) -> str:
    """Return `stem_N` with the lowest N that no edgemoe function has."""
    number = 0
    while (DOMAIN, f"{stem}_{number}", "") in model.functions:
        number += 1
    return f"{stem}_{number}"


def outline(
    model: ir.Model,
    name: str,
    kind: str,
    inputs: Sequence[ir.Value],
    names: Sequence[str],
    outputs: Sequence[ir.Value],
    metadata: dict[str, str],
    *,
    inline: int = INLINE_ELEMENTS,
) -> ir.Node:
    """Move the nodes between `inputs` and `outputs` into function `edgemoe::name`.

    Args:
        model: the model, changed in place.
        name: name of the function.
        kind: what the function is, for `edgemoe.kind` on function and call.
        inputs: the first inputs, in order; large constants that the body reads follow.
        names: names of the first inputs inside the function.
        outputs: what the function returns.
        metadata: more properties of function and call.
        inline: constants of up to so many elements live in the body.

    Returns the call. What other nodes read as well stays in the graph too.
    """
    graph = model.graph
    members = graph_facts.ancestors(list(outputs), frozenset(inputs))
    nodes = _in_order(graph, members, outputs)
    constants: list[ir.Value] = []
    for node in nodes:
        for value in node.inputs:
            if value is None or value.producer() in members or value in inputs:
                continue
            if value not in constants:
                constants.append(value)
    small = [c for c in constants if _is_small(c, inline)]
    given = [*inputs, *(c for c in constants if c not in small)]
    taken = {str(o.name) for node in nodes for o in node.outputs} | {str(c.name) for c in small}
    formal = _formal(given, list(names), taken)
    properties = {**metadata, KIND: kind}
    made = [_constant(value) for value in small]
    inner = dict(zip(given, formal, strict=True))
    inner.update(zip(small, (node.outputs[0] for node in made), strict=True))
    copies = [_copy(node, inner) for node in nodes]
    body = ir.Graph(
        formal,
        [inner[value] for value in outputs],
        nodes=[*made, *copies],
        opset_imports={"": OPSET, DOMAIN: 1},
    )
    function = ir.Function(DOMAIN, name, "", graph=body, attributes=[])
    function.metadata_props.update(properties)
    model.functions[function.identifier()] = function
    model.opset_imports[DOMAIN] = 1
    return _call(graph, function, given, outputs, properties, nodes)


def _in_order(graph: ir.Graph, members: set[ir.Node], outputs: Sequence[ir.Value]) -> list[ir.Node]:
    """Sort the members as the graph does; the last is where the call can stand.

    A few that lead to one output are sorted without looking at the whole graph: a large model has
    thousands of products, and each becomes a region.
    """
    if len(outputs) > 1 or len(members) > _FEW:
        return [node for node in graph if node in members]
    order: list[ir.Node] = []
    todo = [(outputs[0].producer(), False)]
    while todo:
        node, done = todo.pop()
        if node is None or node not in members or node in order:
            continue
        if done:
            order.append(node)
            continue
        todo.append((node, True))
        todo += [(v.producer(), False) for v in reversed(node.inputs) if v is not None]
    return order


def _call(
    graph: ir.Graph,
    function: ir.Function,
    given: list[ir.Value],
    outputs: Sequence[ir.Value],
    properties: dict[str, str],
    nodes: list[ir.Node],
) -> ir.Node:
    call = ir.node(
        function.name, given, domain=DOMAIN, num_outputs=len(outputs),
        metadata_props={**properties, ORIGIN: graph_facts.common_origin(nodes)},
    )  # fmt: skip
    graph.insert_after(nodes[-1], call)
    for old, new in zip(outputs, call.outputs, strict=True):
        new.shape, new.type = old.shape, old.type
        new.meta["emitted"] = True
        replace(old, new)
    return call


def _copy(node: ir.Node, inner: dict[ir.Value, ir.Value]) -> ir.Node:
    """Copy a node with its names; `inner` learns what its outputs became."""
    outputs = [ir.Value(name=o.name, shape=o.shape, type=o.type) for o in node.outputs]
    inputs = [None if value is None else inner[value] for value in node.inputs]
    inner.update(zip(node.outputs, outputs, strict=True))
    return ir.Node(
        node.domain, node.op_type, inputs, list(node.attributes.values()), outputs=outputs,
        overload=node.overload, name=node.name, metadata_props=dict(node.metadata_props),
    )  # fmt: skip


def _is_small(value: ir.Value, limit: int) -> bool:
    tensor = value.const_value if graph_facts.is_constant(value) else None
    return tensor is not None and tensor.size <= limit


def _formal(given: list[ir.Value], names: list[str], taken: set[str]) -> list[ir.Value]:
    result = []
    for index, value in enumerate(given):
        stem = names[index] if index < len(names) else str(value.name)
        name = stem
        while name in taken:
            name += "_in"
        taken.add(name)
        result.append(ir.Value(name=name, shape=value.shape, type=value.type))
    return result


def _constant(value: ir.Value) -> ir.Node:
    assert value.const_value is not None
    node = ir.node(
        "Constant", [], attributes={"value": ir.tensor(value.const_value.numpy())}, num_outputs=1
    )
    output = node.outputs[0]
    output.name, output.shape, output.type = value.name, value.shape, value.type
    return node
