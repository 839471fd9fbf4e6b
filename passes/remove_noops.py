"""Remove operators that pass their input through, bit by bit."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import replace
from edgemoe.graph_pass import PassContext, graph_pass

_TO_SHAPE = (
    "Reshape",
    "Expand",
    "Tile",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Slice",
    "Concat",
    "Pad",
)


@graph_pass(phase="canonicalise", after=("share_subexpressions",))
def remove_noops(model: ir.Model, context: PassContext) -> int:
    """Remove nodes that return their input: Identity, Dropout, casts to the same type and such.

    Given:  a = Reshape(x: f32[2,3], [2,3]); b = Mul(a, 1.0); y = Relu(b)
    Result: y = Relu(x)
    """
    del context
    changes = 0
    for graph in graph_facts.graphs_of(model):
        for node in list(graph):
            source = passes_through(node)
            if source is not None and (node.outputs[0].uses() or node.outputs[0].is_graph_output()):
                changes += replace(node.outputs[0], source)
    return changes


def passes_through(node: ir.Node) -> ir.Value | None:
    """Return the input that a node returns unchanged, None when it computes something."""
    source = node.inputs[0] if node.inputs else None
    if source is None or node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type in ("Identity", "Dropout"):
        return source if len(node.outputs) < 2 or not node.outputs[1].uses() else None
    if node.op_type in ("Cast", "CastLike"):
        return source if node.outputs[0].dtype == source.dtype is not None else None
    if node.op_type in _TO_SHAPE:
        return source if _keeps_shape(node, source) else None
    if node.op_type == "Transpose":
        permutation = node.attributes.get("perm")
        if permutation is not None and list(permutation.as_ints()) == sorted(permutation.as_ints()):
            return source
        return None
    if node.op_type in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"):
        axes, shape = graph_facts.axes_of(node), graph_facts.shape_of(source)
        unit = axes is not None and shape is not None and all(shape[a] == 1 for a in axes)
        return source if unit and _keeps_shape(node, source) else None
    if node.op_type == "Where":
        return _decided(node)
    return _neutral(node)


def _decided(node: ir.Node) -> ir.Value | None:
    """Where with a constant condition that always takes the same side."""
    condition = graph_facts.array_of(node.inputs[0])
    if condition is None or not (condition.all() or not condition.any()):
        return None
    chosen = node.inputs[1 if condition.all() else 2]
    keeps = graph_facts.shape_of(chosen) == graph_facts.shape_of(node.outputs[0])
    return chosen if chosen is not None and chosen.shape is not None and keeps else None


def _keeps_shape(node: ir.Node, source: ir.Value) -> bool:
    if node.op_type == "Concat" and len([v for v in node.inputs if v is not None]) != 1:
        return False
    if node.op_type == "Slice" and any((s or 0) < 0 for s in graph_facts.ints_of(
            node.inputs[4] if len(node.inputs) > 4 else None) or []):  # fmt: skip
        return False
    if node.op_type == "Pad" and any(p < 0 for p in graph_facts.ints_of(node.inputs[1]) or [-1]):
        return False
    shape = graph_facts.shape_of(source)
    return shape is not None and shape == graph_facts.shape_of(node.outputs[0])


def _neutral(node: ir.Node) -> ir.Value | None:
    """x*1, x/1, x-0 keep every bit; x+0 turns -0 into 0, so it must be x + (-0)."""
    if node.op_type not in ("Mul", "Div", "Add", "Sub") or len(node.inputs) != 2:
        return None
    shape = graph_facts.shape_of(node.outputs[0])
    for index, (value, constant) in enumerate((node.inputs, tuple(reversed(node.inputs)))):
        if index and node.op_type in ("Div", "Sub"):
            continue
        if value is None or constant is None or graph_facts.shape_of(value) != shape:
            continue
        tensor = constant.const_value
        if (
            shape is None
            or tensor is None
            or tensor.size > 64
            or not graph_facts.is_constant(constant)
        ):
            continue
        if _is_neutral(node.op_type, tensor.numpy()):
            return value
    return None


def _is_neutral(op_type: str, array: np.ndarray) -> bool:
    if op_type in ("Mul", "Div"):
        return bool((array == 1).all())
    if array.dtype.kind in "iu":
        return bool((array == 0).all())
    negative = op_type == "Add"
    return bool((array == 0).all() and (np.signbit(array) == negative).all())
