"""Fuse a softmax over tokens or channels with what it gates and the residual."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.outline import free_name, outline


@graph_pass(phase="fuse", after=("sink_transposes", "fuse_attention"))
def fuse_softmax_gate(model: ir.Model, context: PassContext) -> int:
    """Outline x * Softmax(z) + r, all of one shape, as `SoftmaxGate_N`.

    Given:  s = Softmax<axis = -2>(z); g = Mul(x, s); y = Add(g, r)
    Result: y = SoftmaxGate_0(z, x, r)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if node.graph is None or not graph_facts.is_op(node, "Softmax"):
            continue
        z, shape = node.inputs[0], graph_facts.shape_of(node.inputs[0])
        if z is None or shape is None or len(shape) < 2 or z.dtype != ir.DataType.FLOAT:
            continue
        axis = graph_facts.axis_of(node, -1, len(shape))
        if axis < len(shape) - 2:
            continue
        end, inputs = node.outputs[0], [z]
        for op in ("Mul", "Add"):
            other = _joined(end, op, shape)
            if other is None or other is z:  # the kernel overwrites z
                break
            user = graph_facts.only_user(end)
            assert user is not None
            inputs.append(other)
            end = user.outputs[0]
        if len(inputs) == 1 and axis == len(shape) - 1:
            continue  # a plain softmax of rows has a kernel
        name = free_name(model, "SoftmaxGate")
        unique = list(dict.fromkeys(inputs))
        outline(model, name, "SoftmaxGate", unique, ["z"], [end], {})
        changes += 1
    return changes


def _joined(value: ir.Value, op: str, shape: tuple[int, ...]) -> ir.Value | None:
    """Return what the only user of `value`, an `op`, joins it with if both have one shape."""
    user = graph_facts.only_user(value)
    if user is None or not graph_facts.is_op(user, op) or value.is_graph_output():
        return None
    other = graph_facts.other_input(user, value)
    if other is None or other is value or graph_facts.shape_of(other) != shape:
        return None
    return other if other.dtype == ir.DataType.FLOAT else None
