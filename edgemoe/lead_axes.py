"""Questions about values of four axes, of which two number the tokens."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter


def merged(emit: Emitter, value: ir.Value, axis: int = 0) -> ir.Value:
    """Make one of axes `axis` and `axis + 1`."""
    shape = graph_facts.shape_of(value) or ()
    both = shape[axis] * shape[axis + 1]
    return emit.reshape(value, *shape[:axis], both, *shape[axis + 2 :])


def lead_axis(value: ir.Value | None) -> int | None:
    """Return i where a Reshape made axes i and i + 1 of one axis, of three in all."""
    node = graph_facts.made_by(value, *graph_facts.RESHAPES)
    shape = graph_facts.shape_of(value)
    inner = graph_facts.shape_of(node.inputs[0]) if node is not None else None
    if shape is None or inner is None or len(shape) != 4 or len(inner) != 3 or 0 in shape:
        return None
    for axis in (0, 1):
        if (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]) == inner:
            return axis
    return None


def is_stack(value: ir.Value | None) -> bool:
    """Tell whether a value is a stack that was given four axes."""
    node = graph_facts.made_by(value, *graph_facts.RESHAPES)
    return node is not None and graph_facts.made_by(node.inputs[0], "Concat") is not None


def is_product(value: ir.Value, depth: int = 24) -> bool:
    """Tell whether a product with one constant matrix per expert leads to a value."""
    node = value.producer()
    if node is None or depth == 0:
        return False
    if graph_facts.is_op(node, "Einsum"):
        return any(
            graph_facts.is_constant(v) and len(graph_facts.shape_of(v) or ()) == 3
            for v in node.inputs
        )
    if not graph_facts.is_op(node, *graph_facts.RESHAPES, *graph_facts.ELEMENTWISE):
        return False
    return any(v is not None and is_product(v, depth - 1) for v in node.inputs)
