"""Fewer columns of logits, or a number added to some: as far up as the router's own product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, derived_constant

_ONE_BY_ONE = ("Cast", "Clip", "Identity", "Neg", "Relu", "Sigmoid", "Tanh")


def take_columns(emit: Emitter, value: ir.Value, kept: Sequence[int]) -> ir.Value:
    """Return `value` [.., C] with the columns `kept` only: [.., n].

    The weight of the product gets smaller; where the way up to it is not understood, columns are
    gathered from the result.
    """
    shape = graph_facts.shape_of(value)
    node = value.producer()
    assert shape is not None
    taken = None if node is None else _from_product(emit, node, kept)
    if taken is None and node is not None and graph_facts.is_op(node, *_ONE_BY_ONE):
        source, *rest = node.inputs
        if source is not None and graph_facts.shape_of(source) == shape:
            columns = take_columns(emit, source, kept)
            attributes = {name: a.value for name, a in node.attributes.items()}
            taken = emit.node(node.op_type, [columns, *rest], attributes).outputs[0]
    if taken is None and graph_facts.is_op(node, "Add", "Sub", "Mul", "Div") and node is not None:
        taken = _elementwise(emit, node, shape, kept)
    if taken is None and graph_facts.is_op(node, *graph_facts.RESHAPES) and node is not None:
        source = node.inputs[0]
        if source is not None and (graph_facts.shape_of(source) or (0,))[-1] == shape[-1]:
            taken = emit.reshape(take_columns(emit, source, kept), *shape[:-1], len(kept))
    if taken is None:
        taken = emit.op("Gather", value, emit.ints(*kept), axis=len(shape) - 1)
    return taken


def with_mask(emit: Emitter, value: ir.Value, mask: np.ndarray) -> ir.Value:
    """Return `value` [.., C] plus mask [C]; the mask becomes a bias of the product."""
    node, shape = value.producer(), graph_facts.shape_of(value)
    assert shape is not None
    if graph_facts.is_op(node, "Gemm") and node is not None:
        plain = graph_facts.float_attribute(node, "beta", 1.0) == 1.0
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        if plain and (bias is None or graph_facts.is_constant(bias)):
            array = graph_facts.array_of(bias)
            total = mask if array is None else (array + mask).astype(mask.dtype)
            attributes = {name: a.value for name, a in node.attributes.items()}
            name = f"{bias.name}.masked" if bias is not None else "router.mask"
            return emit.node(
                "Gemm", [*node.inputs[:2], emit.constant(total, name)], attributes
            ).outputs[0]
    if graph_facts.is_op(node, *graph_facts.RESHAPES) and node is not None:
        source = node.inputs[0]
        if source is not None and (graph_facts.shape_of(source) or (0,))[-1] == shape[-1]:
            return emit.reshape(with_mask(emit, source, mask), *shape)
    return emit.op("Add", value, emit.constant(mask, "router.mask"))


def _from_product(emit: Emitter, node: ir.Node, kept: Sequence[int]) -> ir.Value | None:
    if not graph_facts.is_op(node, "Gemm", "MatMul"):
        return None
    x, weight, *rest = node.inputs
    if graph_facts.is_constant(x) or not graph_facts.is_constant(weight) or weight is None:
        return None
    if len(graph_facts.shape_of(weight) or ()) != 2:
        return None
    axis = 0 if graph_facts.attribute(node, "transB", 0) else 1
    bias = rest[0] if rest else None
    if bias is not None and not graph_facts.is_constant(bias):
        return None
    operands = [x, _part(emit, weight, axis, kept)]
    if bias is not None:
        operands.append(_last_axis(emit, bias, kept))
    attributes = {name: a.value for name, a in node.attributes.items()}
    return emit.node(node.op_type, operands, attributes).outputs[0]


def _elementwise(
    emit: Emitter, node: ir.Node, shape: tuple[int, ...], kept: Sequence[int]
) -> ir.Value | None:
    """The same operator of fewer columns, where one operand is constant."""
    operands: list[ir.Value] = []
    for value in node.inputs:
        if value is None:
            return None
        if graph_facts.is_constant(value):
            operands.append(_last_axis(emit, value, kept))
        elif graph_facts.shape_of(value) == shape:
            operands.append(take_columns(emit, value, kept))
        else:
            return None
    if not any(graph_facts.is_constant(value) for value in node.inputs):
        return None
    return emit.op(node.op_type, *operands)


def _last_axis(emit: Emitter, value: ir.Value, kept: Sequence[int]) -> ir.Value:
    """Take the columns of a constant that is broadcast along the last axis or has it."""
    shape = graph_facts.shape_of(value) or ()
    if not shape or shape[-1] == 1:
        return value
    return _part(emit, value, len(shape) - 1, kept)


def _part(emit: Emitter, value: ir.Value, axis: int, kept: Sequence[int]) -> ir.Value:
    tensor, shape = value.const_value, list(graph_facts.shape_of(value) or ())
    assert tensor is not None
    shape[axis] = len(kept)
    numbers = list(kept)
    return derived_constant(
        emit.graph, f"{value.name}.kept", tensor.dtype, shape,
        lambda: np.take(tensor.numpy(), numbers, axis=axis),
    )  # fmt: skip
