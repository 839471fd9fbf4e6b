"""Fuse the operators of a layer norm or a root-mean-square norm into the standard operator."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, discard, replace
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="fuse", exact="reassociation")
def fuse_norm(model: ir.Model, context: PassContext) -> int:
    """Replace a decomposed norm of the last axis by LayerNormalization or RMSNormalization.

    Given:  r = Reciprocal(Sqrt(Add(ReduceMean(Pow(x, 2)), eps))); y = Mul(Mul(x, r), scale)
    Result: y = RMSNormalization(x, scale, epsilon=eps)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if node.graph is None or not graph_facts.is_op(node, "Mul", "Div"):
            continue
        found = _normalised(node)
        if found is None:
            continue
        x, epsilon, centred = found
        end, scale = _times_constant(node.outputs[0], x)
        shift = None
        if centred:
            end, shift = _plus_constant(end, x)
        emit = Emitter(end.producer() or node)
        width = (graph_facts.shape_of(x) or (0,))[-1]
        scale = scale or emit.constant(np.ones(width, np.float32), "ones")
        inputs = [x, _vector(emit, scale, width)]
        if shift is not None:
            inputs.append(_vector(emit, shift, width))
        name = "LayerNormalization" if centred else "RMSNormalization"
        result = emit.op(name, *inputs, axis=-1, epsilon=epsilon)
        old = end.producer()
        if replace(end, result):
            changes += 1
            discard([old] if old is not None else [])
    return changes


def _normalised(node: ir.Node) -> tuple[ir.Value, float, bool] | None:
    """(x, epsilon, centred) when `node` is x / sqrt(mean(x^2) + epsilon)."""
    first, second = node.inputs
    if first is None or second is None:
        return None
    pairs = [(first, second)] if node.op_type == "Div" else [(first, second), (second, first)]
    for x, factor in pairs:
        root = _root(factor, reciprocal=node.op_type == "Mul")
        if root is None:
            continue
        found = _mean_of_squares(root, x)
        if found is None:
            continue
        centre = _centred(x)
        return (centre, found, True) if centre is not None else (x, found, False)
    return None


def _root(value: ir.Value, *, reciprocal: bool) -> ir.Value | None:
    """What stands under the square root of 1 / sqrt(v), or of sqrt(v)."""
    if reciprocal:
        node = graph_facts.made_by(value, "Reciprocal", "Div")
        if node is None:
            return None
        if node.op_type == "Div":
            if graph_facts.scalar_of(node.inputs[0]) != 1.0 or node.inputs[1] is None:
                return None
            value = node.inputs[1]
        elif node.inputs[0] is not None:
            value = node.inputs[0]
    root = graph_facts.made_by(value, "Sqrt")
    if root is not None:
        return root.inputs[0]
    power = graph_facts.made_by(value, "Pow")
    if power is not None and graph_facts.scalar_of(power.inputs[1]) == 0.5:
        return power.inputs[0]
    return None


def _mean_of_squares(value: ir.Value, x: ir.Value) -> float | None:
    """Return epsilon when `value` is mean(x^2) + epsilon over the last axis."""
    add = graph_facts.made_by(value, "Add")
    if add is None:
        return None
    for mean, constant in ((add.inputs[0], add.inputs[1]), (add.inputs[1], add.inputs[0])):
        epsilon = graph_facts.scalar_of(constant)
        reduce = graph_facts.made_by(mean, "ReduceMean")
        if epsilon is None or reduce is None or not _last_axis(reduce):
            continue
        square = reduce.inputs[0].producer() if reduce.inputs[0] is not None else None
        if graph_facts.is_op(square, "Pow"):
            assert square is not None
            if square.inputs[0] is x and graph_facts.scalar_of(square.inputs[1]) == 2.0:
                return epsilon
        if graph_facts.is_op(square, "Mul"):
            assert square is not None
            if square.inputs[0] is x and square.inputs[1] is x:
                return epsilon
    return None


def _centred(x: ir.Value) -> ir.Value | None:
    """Return v when x is v - mean(v)."""
    subtract = graph_facts.made_by(x, "Sub")
    if subtract is None:
        return None
    mean = graph_facts.made_by(subtract.inputs[1], "ReduceMean")
    if mean is None or not _last_axis(mean) or mean.inputs[0] is not subtract.inputs[0]:
        return None
    return subtract.inputs[0]


def _last_axis(node: ir.Node) -> bool:
    shape = graph_facts.shape_of(node.inputs[0])
    return (
        shape is not None and graph_facts.axes_of(node) == [len(shape) - 1]
        and bool(graph_facts.attribute(node, "keepdims", 1))
    )  # fmt: skip


def _times_constant(value: ir.Value, x: ir.Value) -> tuple[ir.Value, ir.Value | None]:
    return _with_constant(value, x, "Mul")


def _plus_constant(value: ir.Value, x: ir.Value) -> tuple[ir.Value, ir.Value | None]:
    return _with_constant(value, x, "Add")


def _with_constant(value: ir.Value, x: ir.Value, op: str) -> tuple[ir.Value, ir.Value | None]:
    """Follow the only user of `value` if it combines it with a constant of the last axis."""
    user = graph_facts.only_user(value)
    if user is None or not graph_facts.is_op(user, op):
        return value, None
    other = user.inputs[1] if user.inputs[0] is value else user.inputs[0]
    shape, width = graph_facts.shape_of(other), (graph_facts.shape_of(x) or (0,))[-1]
    if other is None or shape is None or not graph_facts.is_constant(other):
        return value, None
    if graph_facts.size_of(other) != width or shape[-1:] != (width,):
        return value, None
    if graph_facts.shape_of(user.outputs[0]) != graph_facts.shape_of(x):
        return value, None
    return user.outputs[0], other


def _vector(emit: Emitter, value: ir.Value, width: int) -> ir.Value:
    return emit.reshape(value, width)
