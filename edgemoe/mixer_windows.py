"""Mixing of neighbours: pooling, depthwise convolutions, and those as long as the sequence."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.mixer_blocks import Block


def window_of(node: ir.Node) -> Block | None:
    """Read a node as a window over tokens that keeps their number."""
    if graph_facts.is_op(node, "AveragePool", "MaxPool"):
        return _pooling(node)
    return _convolution(node) if graph_facts.is_op(node, "Conv") else None


def _pooling(node: ir.Node) -> Block | None:
    """A pool whose result meets another value, as in AveragePool(x) - x."""
    x, value = node.inputs[0], node.outputs[0]
    if graph_facts.shape_of(x) != graph_facts.shape_of(value):
        return None
    user = graph_facts.only_user(value)
    while user is not None and graph_facts.is_op(user, "Transpose", *graph_facts.RESHAPES):
        value = user.outputs[0]
        user = graph_facts.only_user(value)
    if user is None or not graph_facts.is_op(user, "Add", "Sub", "Mul"):
        return None
    if graph_facts.is_constant(graph_facts.other_input(user, value)):
        return None
    kind = "average" if node.op_type == "AveragePool" else "max"
    return Block("pooling", node, {"kernel": _ints(node, "kernel_shape"), "kind": kind})


def _convolution(node: ir.Node) -> Block | None:
    x, weight = node.inputs[:2]
    shape, kernel = graph_facts.shape_of(x), graph_facts.shape_of(weight)
    out = graph_facts.shape_of(node.outputs[0])
    if shape is None or kernel is None or out is None or kernel[1] != 1:
        return None
    if graph_facts.attribute(node, "group", 1) != shape[1] or not graph_facts.is_constant(weight):
        return None
    if len(kernel) == 3 and kernel[2] >= out[2] > 1 and kernel[2] > 1:
        length = kernel[2]
        return Block("long_conv", node, {"length": length, "channels": out[1]})
    source = graph_facts.made_by(x, "Pad")
    before = graph_facts.shape_of(source.inputs[0]) if source is not None else shape
    if before is None or before[2:] != out[2:] or all(k == 1 for k in kernel[2:]):
        return None
    if shape[1] == 1 or not _is_centred(node, source):
        return None
    facts: dict[str, object] = {"kernel": list(kernel[2:]), "channels": out[1]}
    dilations = _ints(node, "dilations")
    return Block("depthwise_conv", node, {**facts, "dilations": dilations or [1] * len(kernel[2:])})


def _is_centred(node: ir.Node, pad: ir.Node | None) -> bool:
    """Tell whether both ends are padded alike; a causal one is part of another layer."""
    pads = _ints(node, "pads")
    if pad is not None:
        pads = graph_facts.ints_of(pad.inputs[1]) or []
    half = len(pads) // 2
    return all(abs(a - b) <= 1 for a, b in zip(pads[:half], pads[half:], strict=True))


def _ints(node: ir.Node, name: str) -> list[int]:
    found = node.attributes.get(name)
    return [] if found is None else list(found.as_ints())
