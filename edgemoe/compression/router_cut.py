"""Make a router choose among fewer experts: without its columns where that is the same, or masked.

Whether it is the same is tried out: the router without columns must give what the masked one gives
on random logits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.compression.prunable import Prunable
from edgemoe.compression.region_view import RegionView
from edgemoe.compression.router_columns import take_columns, with_mask
from edgemoe.compression.router_trial import same_choice
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter
from edgemoe.expert_classes import ids_within
from edgemoe.outline import free_name, outline

INLINE = 1 << 16  # constants up to this size live in the body of a router, as in recognition

COLUMNS, MASK, DROPPED = (
    "the router lost its columns", "the router is masked", "no router chooses among them"
)  # fmt: skip


def cut_router(model: ir.Model, view: RegionView, facts: Prunable, kept: Sequence[int]) -> str:
    """Let the region's routing be that of the experts `kept`, renumbered; says how.

    The weights of the region are not touched. A router that serves several regions is copied.
    """
    if facts.logits is None:
        _take_scores(view, kept)
        return DROPPED
    if facts.route is not None and _without_columns(model, view, facts, kept):
        return COLUMNS
    _masked(model, view, facts, kept)
    return MASK


def mask_of(facts: Prunable, experts: int, kept: Sequence[int]) -> np.ndarray:
    """Return what is added to the logits [C]: 0, and the lowest number for pruned experts.

    The lowest number is finite, because kernels compute exp with polynomials; its exp is 0.
    """
    assert facts.logits is not None
    classes = (graph_facts.shape_of(facts.logits) or (0,))[-1]
    dtype = facts.logits.dtype or ir.DataType.FLOAT
    lowest = -6e4 if dtype == ir.DataType.FLOAT16 else -1e30
    mask = np.zeros(classes, np.float32)
    mask[[e for e in range(experts) if e not in set(kept)]] = lowest if facts.largest else -lowest
    return mask.astype(dtype.numpy())


def _masked(model: ir.Model, view: RegionView, facts: Prunable, kept: Sequence[int]) -> None:
    emit = Emitter(view.node)
    assert facts.logits is not None
    mask = mask_of(facts, view.experts, kept)
    new: dict[ir.Value, ir.Value] = {facts.logits: with_mask(emit, facts.logits, mask)}
    if facts.bias is not None:
        bias = graph_facts.array_of(facts.bias)
        assert bias is not None
        masked = bias + mask[: view.experts].reshape(bias.shape).astype(bias.dtype)
        new[facts.bias] = emit.constant(masked, f"{facts.bias.name}.masked")
    _reroute(view, new)
    if view.routing == "scored":
        _take_scores(view, kept)
        return
    assert view.ids is not None and view.weights is not None
    ids, weights = ids_within(emit, view.ids, view.weights, kept, view.experts)
    assert weights is not None
    view.node.replace_input_with(1, ids)
    view.node.replace_input_with(2, weights)


def _take_scores(view: RegionView, kept: Sequence[int]) -> None:
    emit = Emitter(view.node)
    assert view.scores is not None
    view.node.replace_input_with(
        1, emit.op("Gather", view.scores, emit.ints(*kept), axis=1)
    )  # fmt: skip


def _reroute(view: RegionView, new: Mapping[ir.Value, ir.Value]) -> None:
    """Copy what lies between the values in `new` and the region, reading the new values."""
    emit = Emitter(view.node)
    ends = [v for v in view.node.inputs[1:] if v is not None and not graph_facts.is_constant(v)]
    between = graph_facts.ancestors(ends, frozenset(new))
    copies = dict(new)
    for node in [n for n in emit.graph if n in between]:
        if not any(value in copies for value in node.inputs):
            continue
        outputs = [ir.Value(shape=o.shape, type=o.type) for o in node.outputs]
        copy = ir.Node(
            node.domain, node.op_type,
            [None if v is None else copies.get(v, v) for v in node.inputs],
            list(node.attributes.values()), outputs=outputs, overload=node.overload,
            metadata_props=dict(node.metadata_props),
        )  # fmt: skip
        emit.graph.insert_before(view.node, copy)
        copies.update(zip(node.outputs, outputs, strict=True))
    for place, value in enumerate(view.node.inputs):
        if value in copies and place > 0 and value is not None:
            view.node.replace_input_with(place, copies[value])


def _without_columns(
    model: ir.Model, view: RegionView, facts: Prunable, kept: Sequence[int]
) -> bool:
    """Build the same router over fewer columns; False, with nothing changed, where it differs."""
    route = facts.route
    assert route is not None
    parameters = json.loads(route.metadata_props.get("edgemoe.route", "{}"))
    classes = (graph_facts.shape_of(route.inputs[0]) or (0,))[-1]
    if classes != view.experts or parameters.get("groups", 1) != 1:
        return False
    emit = Emitter(view.node)
    normed = parameters.get("score") == "relu_rmsnorm"
    made: tuple[list[ir.Value], list[ir.Value]] | None
    if normed:
        made = _relu_rmsnorm(emit, view, route, parameters, kept)
    else:
        made = _same_body(model, emit, view, route, kept)
    if made is None:
        remove_dead_nodes(model.graph)
        return False
    inputs, outputs = made
    names = (
        ["logits", "gamma"] if parameters.get("score") == "relu_rmsnorm" else _names(model, route)
    )
    metadata = {**route.metadata_props, "edgemoe.route": json.dumps(parameters)}
    call = outline(
        model, free_name(model, "Route"), "Route", inputs, names[: len(inputs)], outputs,
        metadata, inline=INLINE,
    )  # fmt: skip
    mask = mask_of(facts, view.experts, kept)
    if not same_choice(model, route, call, mask, facts.bias, kept):
        function = call.op_identifier()
        remove_dead_nodes(model.graph)
        del model.functions[function]
        return False
    if view.routing == "scored":
        scores = emit.reshape(call.outputs[0], view.tokens, len(kept))
        view.node.replace_input_with(1, scores)
    else:
        _reroute(view, dict(zip(route.outputs, call.outputs, strict=True)))
    return True


def _same_body(
    model: ir.Model, emit: Emitter, view: RegionView, route: ir.Node, kept: Sequence[int]
) -> tuple[list[ir.Value], list[ir.Value]] | None:
    """Copy the body of a router over fewer columns."""
    function = model.functions[route.op_identifier()]
    given: list[ir.Value] = []
    for place, value in enumerate(route.inputs):
        assert value is not None
        if place == 0:
            given.append(take_columns(emit, value, kept))
        elif graph_facts.is_constant(value) and graph_facts.size_of(value) == view.experts:
            array = graph_facts.array_of(value)
            assert array is not None
            given.append(emit.constant(array.reshape(-1)[list(kept)], f"{value.name}.kept"))
        else:
            return None
    inner: dict[ir.Value, ir.Value] = dict(zip(function.inputs, given, strict=True))
    for node in function:
        constant = graph_facts.is_op(node, "Constant")
        if constant:
            value_of = node.attributes.get("value")
            if value_of is None:
                return None
            inner[node.outputs[0]] = emit.constant(value_of.as_tensor().numpy())
            continue
        attributes = {name: a.value for name, a in node.attributes.items()}
        operands = [None if v is None else inner[v] for v in node.inputs]
        copy = emit.node(
            node.op_type, operands, attributes, domain=node.domain, outputs=len(node.outputs)
        )
        inner.update(zip(node.outputs, copy.outputs, strict=True))
        if any(graph_facts.shape_of(o) is None for o in copy.outputs):
            return None  # a shape in the body holds the number of experts
    return given, [inner[output] for output in function.outputs]


def _relu_rmsnorm(
    emit: Emitter,
    view: RegionView,
    route: ir.Node,
    parameters: dict[str, object],
    kept: Sequence[int],
) -> tuple[list[ir.Value], list[ir.Value]]:
    """BlockFFN's router over n of E columns, with the mean still taken over E.

    gamma * a / sqrt(sum(a^2) / E + eps) = gamma sqrt(E/n) * a / sqrt(sum(a^2) / n + eps E/n).
    """
    logits = route.inputs[0]
    assert logits is not None and isinstance(parameters["eps"], float)
    dtype = (logits.dtype or ir.DataType.FLOAT).numpy()
    ratio = view.experts / len(kept)
    gamma = np.ones(view.experts, dtype)
    if len(route.inputs) > 1:
        found = graph_facts.array_of(route.inputs[1])
        assert found is not None
        gamma = found.reshape(-1)
    scaled = (gamma[list(kept)].astype(np.float64) * np.sqrt(ratio)).astype(dtype)
    parameters["eps"] = parameters["eps"] * ratio
    parameters["gamma"] = True
    scale = emit.constant(scaled, f"{route.inputs[-1].name}.kept" if route.inputs[-1] else "gamma")
    columns = take_columns(emit, logits, kept)
    active = emit.op("Relu", columns)
    square = emit.op("Mul", active, active)
    mean = emit.op("ReduceMean", square, emit.ints(-1), keepdims=1)
    eps = emit.constant(np.array(parameters["eps"], dtype), "eps")
    inverse = emit.op("Reciprocal", emit.op("Sqrt", emit.op("Add", mean, eps)))
    scores = emit.op("Mul", emit.op("Mul", scale, active), inverse)
    return [columns, scale], [scores]


def _names(model: ir.Model, route: ir.Node) -> list[str]:
    return [str(value.name) for value in model.functions[route.op_identifier()].inputs]
