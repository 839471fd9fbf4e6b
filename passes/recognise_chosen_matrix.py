"""Recognise experts that are chosen for all tokens of a sequence at once: by task, by domain."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.row_source import gathered_ids


@graph_pass(phase="recognise", after=("recognise_gathered",), exact="reassociation")
def recognise_chosen_matrix(model: ir.Model, context: PassContext) -> int:
    """Turn the product of many rows with one matrix per sequence into `ExpertLinear`.

    Given:  w = Gather(*W: f32[E,out,in], task: i64[]); y = MatMul(x: f32[T,in], Transpose(w))
    Result: y = ExpertLinear(x, Expand(task, [T]), *W)
    """
    del context
    changes = 0
    for node in list(model.graph):
        ids = gathered_ids(node, rank=3)
        if ids is not None and node.inputs[0] is not None:
            changes += _rewrite(node, ids, node.inputs[0])
    if changes:
        regions.add_bodies(model)
    return changes


def _rewrite(gather: ir.Node, ids: ir.Value, weight: ir.Value) -> int:
    """Follow reshapes and a turn of the matrix to the one product that reads it."""
    value, turned = gather.outputs[0], False
    while (user := graph_facts.only_user(value)) is not None:
        rank = len(graph_facts.shape_of(value) or ())
        if graph_facts.is_op(user, "Transpose"):
            permutation = list(user.attributes["perm"].as_ints())
            if permutation != [*range(rank - 2), rank - 1, rank - 2]:
                return 0
            turned = not turned
        elif not graph_facts.is_op(user, *graph_facts.RESHAPES):
            break
        elif (graph_facts.shape_of(user.outputs[0]) or ())[-2:] != (
            graph_facts.shape_of(value) or ()
        )[-2:]:
            return 0
        value = user.outputs[0]
    if user is None:
        return 0
    if graph_facts.is_op(user, "Gemm"):
        return _gemm(user, value, ids, weight, turned)
    if not graph_facts.is_op(user, "MatMul") or user.inputs[1] is not value:
        return 0
    return _emit(user, value, ids, weight, transposed=not turned)


def _gemm(node: ir.Node, value: ir.Value, ids: ir.Value, weight: ir.Value, turned: bool) -> int:
    plain = all(graph_facts.float_attribute(node, n, 1.0) == 1.0 for n in ("alpha", "beta"))
    if node.inputs[1] is not value or not plain or graph_facts.attribute(node, "transA", 0):
        return 0
    flipped = bool(graph_facts.attribute(node, "transB", 0)) != turned
    emit = Emitter(node)
    rows = _rows(emit, node, ids, weight, transposed=not flipped)
    if rows is None:
        return 0
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    return int(replace(node.outputs[0], rows if bias is None else emit.op("Add", rows, bias)))


def _emit(
    node: ir.Node, value: ir.Value, ids: ir.Value, weight: ir.Value, *, transposed: bool
) -> int:
    matrices, rows = graph_facts.shape_of(value), graph_facts.shape_of(node.inputs[0])
    if matrices is None or rows is None:
        return 0
    lead = matrices[:-2]
    if int(np.prod(lead)) != 1 and lead != rows[: len(rows) - 2]:
        return 0
    result = _rows(Emitter(node), node, ids, weight, transposed=transposed)
    return 0 if result is None else int(replace(node.outputs[0], result))


def leads_to_choice(value: ir.Value, depth: int = 6) -> bool:
    """Tell whether scores are made here: something chooses the largest of them."""
    if depth == 0:
        return False
    for use in value.uses():
        if graph_facts.is_op(use.node, "TopK", "ArgMax"):
            return True
        along = ("Softmax", "Sigmoid", *graph_facts.ELEMENTWISE, *graph_facts.RESHAPES)
        if graph_facts.is_op(use.node, *along) and any(
            leads_to_choice(output, depth - 1) for output in use.node.outputs
        ):
            return True
    return False


def _rows(
    emit: Emitter, node: ir.Node, ids: ir.Value, weight: ir.Value, *, transposed: bool
) -> ir.Value | None:
    """Emit the product; ids hold one expert, or one for each of the leading sequences."""
    x = node.inputs[0]
    if leads_to_choice(node.outputs[0]):
        return None  # the router of a task
    shape, out = graph_facts.shape_of(x), graph_facts.shape_of(node.outputs[0])
    count = graph_facts.size_of(ids)
    if x is None or shape is None or out is None or count is None:
        return None
    rows = int(np.prod(shape[:-1]))
    if rows % count or rows == count:
        return None  # one row for each matrix: gathered weights
    wide = emit.reshape(emit.cast(ids, ir.DataType.INT64), count, 1)
    each = emit.op("Expand", wide, emit.ints(count, rows // count))
    flat = emit.reshape(x, rows, shape[-1])
    y = regions.expert_linear(emit, flat, emit.reshape(each, rows), weight, transposed=transposed)
    return emit.reshape(y, *out)
