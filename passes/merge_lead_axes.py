"""Make one axis of batch and tokens where experts are stacked and summed."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.lead_axes import is_product, is_stack, lead_axis, merged


@graph_pass(phase="canonicalise", after=("merge_movements",))
def merge_lead_axes(model: ir.Model, context: PassContext) -> int:
    """Stack, gather, weigh and sum experts in three axes, as for tokens without a batch.

    Given:  s = Concat(a: f32[2,3,1,4], b: f32[2,3,1,4]) {axis=2};
            y = ReduceSum(Mul(s, w: f32[2,3,2,1]), [2])
    Result: s = Concat(Reshape(a), Reshape(b)): f32[6,2,4] {axis=1};
            y = Reshape(ReduceSum(Mul(s, Reshape(w)), [1]), [2,3,4])
    """
    del context
    changes = 0
    for node in list(model.graph):
        if not node.outputs[0].uses() and not node.outputs[0].is_graph_output():
            continue
        if graph_facts.is_op(node, "Concat"):
            changes += _stack(node)
        elif graph_facts.is_op(node, "ReduceSum"):
            changes += _sum(node)
        elif graph_facts.is_op(node, "GatherElements", "MatMul"):
            changes += _picked(node)
        elif graph_facts.is_op(node, "Einsum"):
            changes += _einsum(node)
        elif graph_facts.is_op(node, *graph_facts.ELEMENTWISE):
            changes += _elementwise(node)
    return changes


def _stack(node: ir.Node) -> int:
    """Concat of [B,T,1,H] or [B,T,H,1]: something is stacked per token."""
    output = node.outputs[0]
    shape = graph_facts.shape_of(output)
    axis = graph_facts.axis_of(node, 0, len(shape or ()))
    if shape is None or len(shape) != 4 or axis < 2 or 0 in shape or len(node.inputs) < 2:
        return 0
    if shape[axis] != len(node.inputs) or any(map(graph_facts.is_constant, node.inputs)):
        return 0
    emit = Emitter(node)
    parts = [merged(emit, v) for v in node.inputs if v is not None]
    stacked = emit.op("Concat", *parts, axis=axis - 1)
    return int(replace(output, emit.reshape(stacked, *shape)))


def _sum(node: ir.Node) -> int:
    """Sum over the experts of a product, of which one factor has three axes already."""
    product = graph_facts.made_by(node.inputs[0], "Mul")
    axes, shape = graph_facts.axes_of(node), graph_facts.shape_of(node.outputs[0])
    own = graph_facts.shape_of(node.inputs[0])
    if product is None or axes is None or len(axes) != 1 or shape is None or own is None:
        return 0
    for value, other in (product.inputs, tuple(reversed(product.inputs))):
        axis, second = lead_axis(value), graph_facts.shape_of(other)
        if axis is None or value is None or other is None or graph_facts.shape_of(value) != own:
            continue
        if second is None or len(second) != 4 or axes[0] in (axis, axis + 1):
            continue
        if second[axis : axis + 2] != own[axis : axis + 2]:
            continue
        emit = Emitter(node)
        weighed = emit.op("Mul", merged(emit, value, axis), merged(emit, other, axis))
        over = emit.ints(axes[0] - (axes[0] > axis))
        total = emit.op("ReduceSum", weighed, over, keepdims=0)
        return int(replace(node.outputs[0], emit.reshape(total, *shape)))
    return 0


def _picked(node: ir.Node) -> int:
    """Gather from a stack, or multiply a stack with a matrix per token."""
    values = [v for v in node.inputs[:2] if v is not None]
    shapes = [graph_facts.shape_of(v) or () for v in values]
    shape = graph_facts.shape_of(node.outputs[0])
    stacks = [v for v in values if lead_axis(v) == 0 and is_stack(v)]
    if not stacks or shape is None or any(len(s) != 4 for s in shapes):
        return 0
    if shapes[0][:2] != shapes[1][:2]:
        return 0
    attributes = {}
    if graph_facts.is_op(node, "GatherElements"):
        axis = graph_facts.axis_of(node, 0, 4)
        if axis < 2:
            return 0
        attributes = {"axis": axis - 1}
    emit = Emitter(node)
    y = emit.op(node.op_type, *(merged(emit, v) for v in values), **attributes)
    return int(replace(node.outputs[0], emit.reshape(y, *shape)))


def _einsum(node: ir.Node) -> int:
    """Einsum "bteh,bte->bth" of a stack is "teh,te->th", "bth,edh->bted" is "th,edh->ted"."""
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    left, _, output = equation.partition("->")
    terms = left.split(",")
    lead, shape = output[:2], graph_facts.shape_of(node.outputs[0])
    if "." in equation or len(terms) != 2 or len(lead) != 2 or lead[0] == lead[1]:
        return 0
    values = [v for v in node.inputs if v is not None]
    weights = [t for t, v in zip(terms, values, strict=True) if graph_facts.is_constant(v)]
    if any(c in t for c in lead for t in weights) or any(len(t) != 3 for t in weights):
        return 0
    moving = [output, *(t for t in terms if t not in weights)]
    if any(t[:2] != lead or lead[0] in t[2:] or lead[1] in t[2:] for t in moving):
        return 0
    known = any(lead_axis(v) == 0 and (is_stack(v) or is_product(v)) for v in values)
    # Parts of a row with a matrix each are a block-diagonal product, which is no expert.
    parts = any(weights and t not in weights and set(t[2:]) & set(output[2:]) for t in terms)
    if shape is None or not (known or (weights and not parts)):
        return 0
    emit = Emitter(node)
    text = ",".join(t if t in weights else t[1:] for t in terms) + "->" + output[1:]
    rows = [v if graph_facts.is_constant(v) else merged(emit, v) for v in values]
    y = emit.op("Einsum", *rows, equation=text)
    return int(replace(node.outputs[0], emit.reshape(y, *shape)))


def _elementwise(node: ir.Node) -> int:
    """Go on in three axes behind a product with one matrix per expert."""
    shape = graph_facts.shape_of(node.outputs[0])
    if shape is None or len(shape) != 4 or len(node.outputs) != 1:
        return 0
    if not any(v is not None and lead_axis(v) == 0 and is_product(v) for v in node.inputs):
        return 0
    for value in node.inputs:
        own = graph_facts.shape_of(value)
        alike = own is not None and own[:2] == shape[:2] and len(own) == 4
        small = own is not None and len(own) < 3 and graph_facts.is_constant(value)
        if not alike and not small:
            return 0
    emit = Emitter(node)
    attributes = {name: a.value for name, a in node.attributes.items()}
    inputs = [
        v if v is None or graph_facts.is_constant(v) else merged(emit, v) for v in node.inputs
    ]
    y = emit.node(node.op_type, inputs, attributes).outputs[0]
    return int(replace(node.outputs[0], emit.reshape(y, *shape)))
