"""Rewrite convolutions that do not overlap as products."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, derived_constant, discard, replace
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="fuse", exact="reassociation")
def conv_to_product(model: ir.Model, context: PassContext) -> int:
    """Replace pointwise convolutions, and those whose patches do not overlap, by MatMul.

    Given:  y = Conv(x, W, b, kernel_shape=[4, 4], strides=[4, 4])     (x: [B, C, H, W])
    Result: p = patches of x as rows [B, H/4 * W/4, C*16]; y = Transpose(MatMul(p, Wt) + b)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if graph_facts.is_op(node, "Conv") and _is_plain(node):
            x, weight = node.inputs[:2]
            shape, kernel = graph_facts.shape_of(x), graph_facts.shape_of(weight)
            out = graph_facts.shape_of(node.outputs[0])
            if x is None or weight is None or shape is None or kernel is None or out is None:
                continue
            strides = _ints(node, "strides", len(kernel) - 2)
            emit = Emitter(node)
            bias = node.inputs[2] if len(node.inputs) > 2 else None
            if all(k == 1 for k in kernel[2:]) and all(s == 1 for s in strides):
                result = _pointwise(emit, x, weight, bias)
            elif list(kernel[2:]) == strides:
                result = _patches(emit, x, weight, bias)
            else:
                continue
            replace(node.outputs[0], emit.reshape(result, *out))
            discard([node])
            changes += 1
    return changes


def _ints(node: ir.Node, name: str, rank: int) -> list[int]:
    found = node.attributes.get(name)
    return [1] * rank if found is None else list(found.as_ints())


def _is_plain(node: ir.Node) -> bool:
    weight = node.inputs[1]
    if not graph_facts.is_constant(weight) or node.outputs[0].dtype != ir.DataType.FLOAT:
        return False
    rank = len(graph_facts.shape_of(weight) or ()) - 2
    pads = node.attributes.get("pads")
    return (
        graph_facts.attribute(node, "group", 1) == 1
        and all(d == 1 for d in _ints(node, "dilations", rank))
        and (pads is None or not any(pads.as_ints()))
        and graph_facts.text_attribute(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID")
    )


def _pointwise(emit: Emitter, x: ir.Value, weight: ir.Value, bias: ir.Value | None) -> ir.Value:
    """Multiply the channels of every place from the left: [out, in] x [B, in, places]."""
    batch, channels, *places = graph_facts.shape_of(x) or ()
    out = (graph_facts.shape_of(weight) or (0,))[0]
    rows = emit.reshape(x, batch, channels, int(np.prod(places)))
    result = emit.op("MatMul", _matrix(emit, weight, (out, channels), turn=False), rows)
    return result if bias is None else emit.op("Add", result, column(emit, bias))


def _patches(emit: Emitter, x: ir.Value, weight: ir.Value, bias: ir.Value | None) -> ir.Value:
    """Lay the patches out as rows and multiply them; the result is [B, out, places]."""
    batch, channels, *places = graph_facts.shape_of(x) or ()
    out, _, *kernel = graph_facts.shape_of(weight) or ()
    counts = [p // k for p, k in zip(places, kernel, strict=True)]
    if any(p % k for p, k in zip(places, kernel, strict=True)):
        ends = [c * k for c, k in zip(counts, kernel, strict=True)]
        axes = list(range(2, 2 + len(kernel)))
        x = emit.op("Slice", x, emit.ints(*[0] * len(axes)), emit.ints(*ends), emit.ints(*axes))
    cut = [extent for c, k in zip(counts, kernel, strict=True) for extent in (c, k)]
    view = emit.reshape(x, batch, channels, *cut)
    rank = len(kernel)
    order = [0, *(2 + 2 * i for i in range(rank)), 1, *(3 + 2 * i for i in range(rank))]
    depth = channels * int(np.prod(kernel))
    rows = emit.reshape(emit.op("Transpose", view, perm=order), batch, int(np.prod(counts)), depth)
    result = emit.op("MatMul", rows, _matrix(emit, weight, (out, depth), turn=True))
    if bias is not None:
        result = emit.op("Add", result, bias)
    return emit.op("Transpose", result, perm=[0, 2, 1])


def column(emit: Emitter, bias: ir.Value) -> ir.Value:
    """A bias [n] as [n, 1]."""
    array = graph_facts.array_of(bias)
    if array is not None:
        return emit.constant(array.reshape(-1, 1), f"{bias.name}.column")
    return emit.reshape(bias, graph_facts.size_of(bias) or 0, 1)


def _matrix(emit: Emitter, weight: ir.Value, shape: tuple[int, int], *, turn: bool) -> ir.Value:
    tensor = weight.const_value
    assert tensor is not None

    def compute() -> np.ndarray:
        matrix = tensor.numpy().reshape(shape)
        return np.ascontiguousarray(matrix.T) if turn else matrix

    final = shape[::-1] if turn else shape
    return derived_constant(emit.graph, f"{weight.name}.matrix", tensor.dtype, final, compute)
