"""Unroll control flow that is decided at compile time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, add_constant
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each

LIMIT_NODES = 2048


@graph_pass(phase="canonicalise", after=("fold_constants",))
def unroll_control_flow(model: ir.Model, context: PassContext) -> int:
    """Inline the branch of an If with a constant condition, and the turns of short fixed loops.

    Given:  y = If(*true) {then: { return Relu(x) }, else: { return x }}
    Result: y = Relu(x)
    """
    del context
    changes = rewrite_each(model, ("If",), _choose)
    changes += rewrite_each(model, ("Loop",), _unroll_loop)
    return changes + rewrite_each(model, ("Scan",), _unroll_scan)


def inline_graph(emit: Emitter, body: ir.Graph, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """Copy a subgraph in front of the anchor, reading `inputs`; returns its outputs."""
    copy = body.clone(allow_outer_scope_values=True)
    outputs = list(copy.outputs)
    results = {id(o): value for o, value in zip(copy.inputs, inputs, strict=True)}
    for value in list(copy.initializers.values()):
        assert value.const_value is not None
        constant = add_constant(emit.graph, value.const_value, f"{emit.anchor.name}.{value.name}")
        value.replace_all_uses_with(constant, replace_graph_outputs=True)
        results[id(value)] = constant
    for formal, actual in zip(list(copy.inputs), inputs, strict=True):
        formal.replace_all_uses_with(actual, replace_graph_outputs=True)
    nodes = list(copy)
    copy.outputs.clear()
    copy.remove(nodes)
    for node in nodes:
        node.name = None
        for output in node.outputs:
            output.name = None
        emit.graph.insert_before(emit.anchor, node)
        node.metadata_props.setdefault(graph_facts.ORIGIN, emit.origin)
    return [results.get(id(value), value) for value in outputs]


def _choose(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    condition = graph_facts.array_of(node.inputs[0])
    if condition is None:
        return None
    branch = "then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"
    return inline_graph(emit, node.attributes[branch].as_graph(), [])


def _unroll_loop(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    """Loop(trips, condition, *carried) with body (turn, condition, *carried) -> (cond, ...)."""
    body = node.attributes["body"].as_graph()
    trips = graph_facts.ints_of(node.inputs[0])
    condition, *carried = node.inputs[1:]
    goes_on = body.outputs[0]
    if trips is None or trips[0] * body.num_nodes() > LIMIT_NODES:
        return None
    if condition is not None and not _always(condition):
        return None
    passes_on = goes_on is body.inputs[1] or graph_facts.before_reshapes(goes_on) is body.inputs[1]
    if not passes_on and not _always(goes_on):
        return None
    state = [value for value in carried if value is not None]
    collected: list[list[ir.Value]] = []
    true = emit.constant(np.array(True), "true")
    for turn in range(trips[0]):
        number = emit.constant(np.array(turn, np.int64), "turn")
        _, *outputs = inline_graph(emit, body, [number, true, *state])
        state, scanned = outputs[: len(state)], outputs[len(state) :]
        collected.append(scanned)
    if not collected and len(node.outputs) > len(state):
        return None
    return [*state, *(_stack(emit, list(column)) for column in zip(*collected, strict=True))]


def _always(value: ir.Value) -> bool:
    source = graph_facts.before_reshapes(value)
    constant = graph_facts.made_by(source, "Constant")
    if constant is not None and "value" in constant.attributes:
        return bool(constant.attributes["value"].as_tensor().numpy().all())
    array = graph_facts.array_of(source)
    return array is not None and bool(array.all())


def _stack(emit: Emitter, values: list[ir.Value]) -> ir.Value:
    axis = emit.ints(0)
    return emit.op("Concat", *(emit.op("Unsqueeze", value, axis) for value in values), axis=0)


def _unroll_scan(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    """Scan over axis 0, forwards: body (*state, *slices) -> (*state, *slices)."""
    body = node.attributes["body"].as_graph()
    count = graph_facts.attribute(node, "num_scan_inputs", 1)
    others = ("scan_input_axes", "scan_output_axes", "scan_input_directions",
              "scan_output_directions")  # fmt: skip
    if any(any(node.attributes[name].as_ints()) for name in others if name in node.attributes):
        return None
    values = [value for value in node.inputs if value is not None]
    state, scanned = values[:-count], values[-count:]
    shape = graph_facts.shape_of(scanned[0])
    if shape is None or shape[0] * body.num_nodes() > LIMIT_NODES or shape[0] == 0:
        return None
    collected: list[list[ir.Value]] = []
    for turn in range(shape[0]):
        index = emit.constant(np.array(turn, np.int64), "turn")
        slices = [emit.op("Gather", value, index, axis=0) for value in scanned]
        outputs = inline_graph(emit, body, [*state, *slices])
        state, rows = outputs[: len(state)], outputs[len(state) :]
        collected.append(rows)
    return [*state, *(_stack(emit, list(column)) for column in zip(*collected, strict=True))]
