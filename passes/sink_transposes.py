"""Turn mixing products around so that the transposes of exporters cancel."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, derived_constant, discard, replace
from edgemoe.epilogue import FUSABLE
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.passes.conv_to_product import column

WIDE = 32
"""From this many channels on, a mixing product is computed from the left, channels as lanes."""

_SUNK = "edgemoe.sunk"


@graph_pass(
    phase="fuse", after=("conv_to_product", "fuse_attention", "fuse_norm"), exact="reassociation"
)
def sink_transposes(model: ir.Model, context: PassContext) -> int:
    """Multiply from the side that needs no transpose, and move transposes down until they cancel.

    Given:  h = Gelu(Add(MatMul(Transpose(x), W), b)); y = Transpose(MatMul(h, V))   (x: [.., K, N])
    Result: h = Gelu(Add(MatMul(Wt, x), bt)); y = MatMul(Vt, h)      (the reverse when N is small)
    """
    del context
    changes = 0
    again = True
    while again:
        again = False
        for node in list(model.graph):
            if node.graph is None:
                continue
            if any(
                rule(node) for rule in (_cancel, _from_left, _from_right, _elementwise, _softmax)
            ):
                changes += 1
                again = True
    return changes


def _swap(node: ir.Node | None) -> bool:
    """Tell whether a node transposes the last two axes and nothing else."""
    if not graph_facts.is_op(node, "Transpose"):
        return False
    assert node is not None
    shape = graph_facts.shape_of(node.inputs[0])
    if shape is None or len(shape) < 2 or node.inputs[0] is None:
        return False
    if node.inputs[0].dtype != ir.DataType.FLOAT:
        return False
    rank = len(shape)
    order = list(node.attributes["perm"].as_ints()) if "perm" in node.attributes else (
        list(range(rank))[::-1]
    )  # fmt: skip
    return order == [*range(rank - 2), rank - 1, rank - 2]


def _swapped(emit: Emitter, value: ir.Value) -> ir.Value:
    """Emit a transpose of the last two axes that may be sunk further."""
    rank = len(graph_facts.shape_of(value) or ())
    node = emit.node(
        "Transpose", [value], {"perm": [*range(rank - 2), rank - 1, rank - 2]},
        metadata={_SUNK: "1"},
    )  # fmt: skip
    return node.outputs[0]


def _source(value: ir.Value | None, *, sunk: bool = False) -> ir.Value | None:
    """What `value` is the transpose of."""
    node = value.producer() if value is not None else None
    if not _swap(node):
        return None
    assert node is not None
    if sunk and _SUNK not in node.metadata_props:
        return None
    return node.inputs[0]


def _finish(node: ir.Node, result: ir.Value) -> bool:
    done = replace(node.outputs[0], result)
    discard([node])
    return done


def _cancel(node: ir.Node) -> bool:
    """Transpose(Transpose(x)) -> x."""
    if not _swap(node) or not (node.outputs[0].uses() or node.outputs[0].is_graph_output()):
        return False
    source = _source(node.inputs[0])
    return source is not None and _finish(node, source)


def _transposed_weight(emit: Emitter, weight: ir.Value) -> ir.Value:
    tensor = weight.const_value
    shape = graph_facts.shape_of(weight)
    assert tensor is not None and shape is not None
    return derived_constant(
        emit.graph, f"{weight.name}.T", tensor.dtype, shape[::-1],
        lambda: np.ascontiguousarray(tensor.numpy().T),
    )  # fmt: skip


def _is_matrix(value: ir.Value | None) -> bool:
    return (
        graph_facts.is_constant(value) and len(graph_facts.shape_of(value) or ()) == 2
        and value is not None and value.dtype == ir.DataType.FLOAT
    )  # fmt: skip


def _from_left(node: ir.Node) -> bool:
    """MatMul(Transpose(x), W) -> Transpose(MatMul(Wt, x)) for many channels."""
    if not graph_facts.is_op(node, "MatMul", "Gemm") or not _is_matrix(node.inputs[1]):
        return False
    x, weight = _source(node.inputs[0]), node.inputs[1]
    shape = graph_facts.shape_of(x)
    if x is None or weight is None or shape is None or shape[-1] < WIDE:
        return False
    emit = Emitter(node)
    if node.op_type == "MatMul":
        left = _transposed_weight(emit, weight)
        return _finish(node, _swapped(emit, emit.op("MatMul", left, x)))
    plain = all(graph_facts.float_attribute(node, n, 1.0) == 1.0 for n in ("alpha", "beta"))
    if not plain or graph_facts.attribute(node, "transA", 0):
        return False
    stored = graph_facts.attribute(node, "transB", 0)
    left = weight if stored else _transposed_weight(emit, weight)
    result = emit.op("MatMul", left, x)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        if len(graph_facts.shape_of(bias) or ()) != 1:
            return False
        result = emit.op("Add", result, column(emit, bias))
    return _finish(node, _swapped(emit, result))


def _from_right(node: ir.Node) -> bool:
    """MatMul(W, x) -> Transpose(MatMul(Transpose(x), Wt)) for few channels."""
    if not graph_facts.is_op(node, "MatMul") or not _is_matrix(node.inputs[0]):
        return False
    weight, x = node.inputs
    shape = graph_facts.shape_of(x)
    if x is None or weight is None or shape is None or len(shape) < 2 or shape[-1] >= WIDE:
        return False
    if graph_facts.is_constant(x):
        return False
    emit = Emitter(node)
    source = _source(x)
    rows = source if source is not None else _swapped(emit, x)
    product = emit.op("MatMul", rows, _transposed_weight(emit, weight))
    return _finish(node, _swapped(emit, product))


def _elementwise(node: ir.Node) -> bool:
    """Op(Transpose(x), ..) -> Transpose(Op(x, ..)) where the other operands turn for free."""
    if not graph_facts.is_op(node, *FUSABLE) or len(node.outputs) != 1:
        return False
    sources = [_source(value, sunk=True) for value in node.inputs]
    lead = next((s for s in sources if s is not None), None)
    shape = graph_facts.shape_of(node.outputs[0])
    if lead is None or shape is None or node.outputs[0].dtype != ir.DataType.FLOAT:
        return False
    inner = (*shape[:-2], shape[-1], shape[-2])
    if graph_facts.shape_of(lead) != inner:
        return False
    emit = Emitter(node)
    inputs: list[ir.Value | None] = []
    for value, source in zip(node.inputs, sources, strict=True):
        turned = source if source is not None else _turned(emit, value, len(shape))
        if turned is None and value is not None:
            return False
        inputs.append(turned)
    attributes = {name: a for name, a in node.attributes.items()}
    made = ir.node(node.op_type, inputs, num_outputs=1,
                   metadata_props={graph_facts.ORIGIN: emit.origin})  # fmt: skip
    made.attributes.update(attributes)
    emit.graph.insert_before(node, made)
    made.outputs[0].shape, made.outputs[0].type = ir.Shape(inner), node.outputs[0].type
    made.outputs[0].meta["emitted"] = True
    return _finish(node, _swapped(emit, made.outputs[0]))


def _turned(emit: Emitter, value: ir.Value | None, rank: int) -> ir.Value | None:
    """A constant operand with its last two axes swapped; None where that would copy much."""
    shape = graph_facts.shape_of(value)
    if value is None or shape is None:
        return None
    if graph_facts.size_of(value) == 1:
        return value
    array = graph_facts.array_of(value)
    if array is None or len(shape) > rank or array.size > max(shape[-1], shape[0]):
        return None
    padded = array.reshape((1,) * (max(2, len(shape)) - len(shape)) + shape)
    return emit.constant(np.swapaxes(padded, -1, -2), f"{value.name}.T")


def _softmax(node: ir.Node) -> bool:
    """Softmax(Transpose(x)) over the last axis -> Transpose(Softmax(x)) over the one before."""
    if not graph_facts.is_op(node, "Softmax"):
        return False
    source = _source(node.inputs[0], sunk=True)
    shape = graph_facts.shape_of(source)
    if source is None or shape is None or shape[-1] < WIDE:
        return False
    if graph_facts.axis_of(node, -1, len(shape)) != len(shape) - 1:
        return False
    emit = Emitter(node)
    return _finish(node, _swapped(emit, emit.op("Softmax", source, axis=len(shape) - 2)))
