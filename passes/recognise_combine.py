"""Recognise the weighted sum over the experts of a token."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.routing_matrix import distinct_ids
from edgemoe.row_source import gathered_ids, with_shape

_FOLLOWED = graph_facts.ELEMENTWISE | graph_facts.RESHAPES | {"Split", "Slice", "Concat"}
_NORMS = frozenset({"RMSNormalization", "LayerNormalization"})


@graph_pass(
    phase="recognise",
    after=("absorb_expert_bias", "recognise_chosen_matrix", "recognise_stacked"),
    exact="reassociation",
)
def recognise_combine(model: ir.Model, context: PassContext) -> int:
    """Turn the weighting and summing of expert outputs into `Combine`.

    Given:  p = Mul(y: f32[T*K,H], Reshape(w: f32[T,K], [T*K,1])); z = ReduceSum(Reshape(p), 1)
    Result: z = Combine(y, w)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if graph_facts.is_op(node, "ReduceSum"):
            changes += _from_sum(node)
        elif graph_facts.is_op(node, "MatMul"):
            changes += _from_matmul(node)
        elif graph_facts.is_op(node, "Einsum"):
            changes += _from_einsum(node)
    remove_dead_nodes(model.graph)
    changes += sum(_single(node) for node in list(model.graph))
    if changes:
        regions.add_bodies(model)
    return changes


def rows_of_experts(value: ir.Value) -> int | None:
    """Return S when `value` is computed row by row from the outputs of expert products."""
    todo, seen = [value], set[ir.Node]()
    found: int | None = None
    while todo:
        node = todo.pop().producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        if graph_facts.kind_of(node) in regions.EXPERT_LINEARS:
            found = (graph_facts.shape_of(node.outputs[0]) or (0,))[0]
        elif graph_facts.is_op(node, *_FOLLOWED, *_NORMS):
            todo.extend(v for v in node.inputs if v is not None)
    return found


def rows_modulated(value: ir.Value, limit: int = 100) -> int | None:
    """Return S when rows [S, ...] are computed with vectors gathered by a choice of experts.

    Products on the way are shared by all experts (FiLM).
    """
    todo, seen = [value], set[ir.Node]()
    while todo and len(seen) < limit:
        node = todo.pop().producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        ids = gathered_ids(node, rank=2)
        experts = (graph_facts.shape_of(node.inputs[0]) or (0,))[0] if ids is not None else 0
        if ids is not None and distinct_ids(ids, experts):
            return graph_facts.size_of(ids)
        shared = graph_facts.is_op(node, "MatMul", "Gemm") and graph_facts.is_constant(
            node.inputs[1]
        )
        if shared or graph_facts.is_op(node, *_FOLLOWED, *_NORMS):
            todo.extend(v for v in node.inputs if v is not None)
    return None


def _from_sum(node: ir.Node) -> int:
    source = node.inputs[0]
    shape, axes = graph_facts.shape_of(source), graph_facts.axes_of(node)
    if source is None or shape is None or axes is None or len(axes) != 1 or axes[0] == 0:
        return 0
    axis = axes[0]
    tokens = int(np.prod(shape[:axis]))
    chosen, width = shape[axis], int(np.prod(shape[axis + 1 :]))
    if axis == len(shape) - 1:
        return 0
    y, weights = source, None
    if rows_of_experts(source) == tokens * chosen:
        y, weights = _weighted(source, tokens * chosen, width)
    elif rows_modulated(source) == tokens * chosen:
        y, weights = _weighted(source, tokens * chosen, width, rows_modulated)
        if weights is None:
            return 0
    else:
        return 0
    return _emit(node, y, weights, tokens, chosen, width)


def _weighted(
    source: ir.Value, rows: int, width: int, rows_of: Callable[[ir.Value], int | None] | None = None
) -> tuple[ir.Value, ir.Value | None]:
    """Split y * w, w one number per row; (source, None) when it is no such product."""
    product = graph_facts.before_reshapes(source).producer()
    if not graph_facts.is_op(product, "Mul") or product is None:
        return source, None
    shape = graph_facts.shape_of(product.outputs[0])
    for y, w in (product.inputs, tuple(reversed(product.inputs))):
        if y is None or w is None or shape is None or graph_facts.shape_of(y) != shape:
            continue
        if is_per_row(w, shape, rows) and (rows_of or rows_of_experts)(y) == rows:
            return y, w
    return source, None


def is_per_row(w: ir.Value, shape: tuple[int, ...], rows: int) -> bool:
    """Tell whether w, broadcast to `shape`, is one number per row, rows in order."""
    own = graph_facts.shape_of(w)
    if own is None or len(own) > len(shape) or int(np.prod(own)) != rows:
        return False
    padded = (1,) * (len(shape) - len(own)) + own
    lead = 0
    while lead < len(shape) and int(np.prod(shape[:lead])) != rows:
        lead += 1
    return padded[:lead] == shape[:lead] and all(d == 1 for d in padded[lead:])


def _from_matmul(node: ir.Node) -> int:
    """W [T,1,K] @ y [T,K,H] -> [T,1,H]."""
    weights, y = node.inputs
    inner, outer = graph_facts.shape_of(y), graph_facts.shape_of(weights)
    if weights is None or y is None or inner is None or outer is None or len(inner) < 3:
        return 0
    *lead, chosen, width = inner
    tokens = int(np.prod(lead))
    if outer != (*lead, 1, chosen) or rows_of_experts(y) != tokens * chosen:
        return 0
    return _emit(node, y, weights, tokens, chosen, width)


def _from_einsum(node: ir.Node) -> int:
    """Einsum "tk,tkh->th" and its mirror image."""
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    operands, arrow, output = equation.partition("->")
    terms = operands.split(",")
    if not arrow or len(terms) != 2 or "." in equation:
        return 0
    index = 0 if len(terms[0]) < len(terms[1]) else 1
    weight, row = terms[index], terms[1 - index]
    weights, y = node.inputs[index], node.inputs[1 - index]
    shape = graph_facts.shape_of(y)
    if row[:-1] != weight or output != weight[:-1] + row[-1] or shape is None or y is None:
        return 0
    tokens, chosen, width = int(np.prod(shape[:-2])), shape[-2], shape[-1]
    if weights is None or rows_of_experts(y) != tokens * chosen:
        return 0
    return _emit(node, y, weights, tokens, chosen, width)


def _single(node: ir.Node) -> int:
    """Find one expert per row: nothing sums the rows, so a row is a token with K = 1."""
    if not graph_facts.is_op(node, "Mul"):
        return 0
    output = node.outputs[0]
    shape, rows = graph_facts.shape_of(output), rows_of_experts(output)
    if rows is None or shape is None or not (output.uses() or output.is_graph_output()):
        return 0
    width = int(np.prod(shape)) // rows
    y, weights = _weighted(output, rows, width)
    if weights is None or y is output or goes_on(output):
        return 0
    return _emit(node, y, weights, rows, 1, width)


def goes_on(value: ir.Value) -> bool:
    """Tell whether another expert product or a sum over experts reads this value."""
    for use in value.uses():
        user = use.node
        if graph_facts.kind_of(user) in (*regions.EXPERT_LINEARS, "Combine"):
            return True
        if graph_facts.is_op(user, *_FOLLOWED, *_NORMS) and any(map(goes_on, user.outputs)):
            return True
    return False


def _emit(
    node: ir.Node, y: ir.Value, weights: ir.Value | None, tokens: int, chosen: int, width: int
) -> int:
    emit = Emitter(node)
    rows = emit.reshape(y, tokens * chosen, width)
    if weights is None:
        ones = np.ones((tokens, chosen), (y.dtype or ir.DataType.FLOAT).numpy())
        each = emit.constant(ones, "ones")
    else:
        each = emit.reshape(with_shape(weights, (tokens, chosen)), tokens, chosen)
    shape = graph_facts.shape_of(node.outputs[0])
    assert shape is not None
    total = regions.combine(emit, rows, emit.cast(each, y.dtype or ir.DataType.FLOAT))
    return int(replace(node.outputs[0], emit.reshape(total, *shape)))
