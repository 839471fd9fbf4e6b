"""Recognise products with gathered expert weights (batched_mm and its relatives)."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.row_source import gathered_ids


@dataclass
class Product:
    """A product of rows with gathered weights, normalised."""

    node: ir.Node  # computes the product
    rows: ir.Value  # what is multiplied; `batch` after broadcasting, then the input width
    axis: int  # the axis of `rows` that holds the input width
    labels: tuple[int, ...] | None  # axes of `rows` among the batch axes, None: all, aligned right
    batch: tuple[int, ...]
    transposed: bool
    result: ir.Value


@graph_pass(phase="recognise", exact="reassociation")
def recognise_gathered(model: ir.Model, context: PassContext) -> int:
    """Turn a product with expert weights that were gathered per row into `ExpertLinear`.

    Given:  w = Gather(*W: f32[E,out,in], ids); y = Squeeze(MatMul(w, Unsqueeze(x, 2)), 2)
    Result: y = ExpertLinear(x, ids, *W)
    """
    changes = 0
    for node in list(model.graph):
        ids = gathered_ids(node, rank=3)
        if ids is None:
            continue
        found = _product(node.outputs[0])
        if isinstance(found, str):
            if not _feeds_product(node.outputs[0]):
                continue
            context.notes.append(
                Note("missed", "experts", f"gathered expert weights, but {found}",
                     node.name or "", graph_facts.origin_of(node))
            )  # fmt: skip
            continue
        _rewrite(node, ids, found)
        changes += 1
    if changes:
        regions.add_bodies(model)
    return changes


def _feeds_product(value: ir.Value) -> bool:
    for use in value.uses():
        if graph_facts.is_op(use.node, "MatMul", "Einsum"):
            return True
        moves = graph_facts.is_op(use.node, "Transpose", *graph_facts.RESHAPES)
        if moves and _feeds_product(use.node.outputs[0]):
            return True
    return False


def _product(weights: ir.Value) -> Product | str:
    swapped = False
    while True:
        user = graph_facts.only_user(weights)
        if user is None:
            return "the gathered weights are read more than once"
        if graph_facts.is_op(user, *graph_facts.RESHAPES):
            old, new = graph_facts.shape_of(weights), graph_facts.shape_of(user.outputs[0])
            if old is None or new is None or len(new) < 3 or old[-2:] != new[-2:]:
                return f"{user.name} reshapes the matrices"
        elif graph_facts.is_op(user, "Transpose"):
            permutation = list(user.attributes["perm"].as_ints())
            rank = len(permutation)
            if permutation != [*range(rank - 2), rank - 1, rank - 2]:
                return f"{user.name} transposes more than the matrices"
            swapped = not swapped
        else:
            break
        weights = user.outputs[0]
    shape = graph_facts.shape_of(weights)
    if shape is None:
        return "their shape is not static"
    if graph_facts.is_op(user, "MatMul"):
        return _matmul(user, weights, shape, swapped=swapped)
    if graph_facts.is_op(user, "Einsum"):
        return _einsum(user, weights, shape, swapped=swapped)
    if graph_facts.is_op(user, "Mul"):
        return _mul_sum(user, weights, shape, swapped=swapped)
    return f"{user.name} ({user.op_type}) is no product"


def _matmul(
    node: ir.Node, weights: ir.Value, shape: tuple[int, ...], *, swapped: bool
) -> Product | str:
    left = node.inputs[0] is weights
    rows = graph_facts.other_input(node, weights)
    inner = graph_facts.shape_of(rows)
    if rows is None or inner is None or len(inner) < 2:
        return "the other operand of the product is no matrix"
    rank = len(inner)
    axis, single = (rank - 2, inner[-1]) if left else (rank - 1, inner[-2])
    if single != 1:
        return f"{node.name} multiplies {single} rows with each expert"
    if rank > len(shape):
        return f"{node.name} uses one set of experts for several rows"
    return Product(node, rows, axis, None, shape[:-2], left == swapped, node.outputs[0])


def _mul_sum(
    node: ir.Node, weights: ir.Value, shape: tuple[int, ...], *, swapped: bool
) -> Product | str:
    """(W[ids] * x[:, None]).sum(-1)."""
    total = graph_facts.only_user(node.outputs[0])
    rows = graph_facts.other_input(node, weights)
    inner = graph_facts.shape_of(rows)
    if total is None or not graph_facts.is_op(total, "ReduceSum") or rows is None or inner is None:
        return f"{node.name} scales the weights"
    axes, rank = graph_facts.axes_of(total), len(shape)
    if axes not in ([rank - 1], [rank - 2]) or not 2 <= len(inner) <= rank:
        return f"{total.name} does not sum over the input width"
    last = axes == [rank - 1]
    if inner[-2 if last else -1] != 1:
        return f"{node.name} scales the weights"
    axis = len(inner) - (1 if last else 2)
    return Product(node, rows, axis, None, shape[:-2], last == swapped, total.outputs[0])


def _einsum(
    node: ir.Node, weights: ir.Value, shape: tuple[int, ...], *, swapped: bool
) -> Product | str:
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    operands, arrow, output = equation.partition("->")
    terms = operands.split(",")
    if not arrow or len(terms) != 2 or "." in equation or len(node.inputs) != 2:
        return f"Einsum {equation!r} is not understood"
    index = 0 if node.inputs[0] is weights else 1
    rows = node.inputs[1 - index]
    weight, row = terms[index], terms[1 - index]
    batch = weight[:-2]
    contracted = [c for c in weight[-2:] if c not in output]
    if rows is None or len(contracted) != 1 or row.count(contracted[0]) != 1:
        return f"Einsum {equation!r} is no product of rows with matrices"
    kept = weight[-1] if weight[-2] == contracted[0] else weight[-2]
    others = [c for c in row if c != contracted[0]]
    if output != batch + kept or others != [c for c in batch if c in others]:
        return f"Einsum {equation!r} orders its axes in another way"
    labels = tuple(batch.index(c) for c in others)
    transposed = (weight[-1] == kept) != swapped
    return Product(
        node, rows, row.index(contracted[0]), labels, shape[:-2], transposed, node.outputs[0]
    )


def _rewrite(gather: ir.Node, ids: ir.Value, found: Product) -> None:
    emit = Emitter(found.node)
    count = 1
    for extent in found.batch:
        count *= extent
    flat = emit.cast(emit.reshape(ids, count), ir.DataType.INT64)
    rows = _flat_rows(emit, found, count)
    weight = gather.inputs[0]
    assert weight is not None
    y = regions.expert_linear(emit, rows, flat, weight, transposed=found.transposed)
    shape = graph_facts.shape_of(found.result)
    assert shape is not None
    replace(found.result, emit.reshape(y, *shape))


def _flat_rows(emit: Emitter, found: Product, count: int) -> ir.Value:
    """Bring the multiplied rows to [count, width]."""
    shape = list(graph_facts.shape_of(found.rows) or ())
    width = shape[found.axis]
    if found.labels is None:
        lead = shape[:-2]
        lead = [1] * (len(found.batch) - len(lead)) + lead
        rows = found.rows
    else:
        rank = len(shape)
        order = [a for a in range(rank) if a != found.axis] + [found.axis]
        rows = found.rows
        if order != sorted(order):
            rows = emit.op("Transpose", rows, perm=order)
        lead = [found.batch[a] if a in found.labels else 1 for a in range(len(found.batch))]
    if tuple(lead) != found.batch:
        rows = emit.op("Expand", emit.reshape(rows, *lead, width), emit.ints(*found.batch, width))
    return emit.reshape(rows, count, width)
