"""Recognise batched experts whose input, not output, is weighted (Llama 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts, regions
from edgemoe.batched_body import BatchedBody, Layout, NotBatched, product_parts
from edgemoe.batched_targets import ChosenRows
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.routing_matrix import choice_of
from edgemoe.row_source import moved_source, with_shape

LIMIT_ELEMENTS = 1 << 26  # of weights times tokens, for the proof that f(0) = 0


@dataclass
class Scaled:
    """The experts read x[t] * matrix[t, e]; `product` holds that, [E, T, w] in order."""

    product: ir.Value
    readers: list[ir.Value]  # the same rows, as the experts' products read them
    x: ir.Value
    matrix: ir.Value


@graph_pass(phase="recognise", exact="reassociation")
def recognise_scaled_inputs(model: ir.Model, context: PassContext) -> int:
    """Compute only the chosen of experts that read a token times its top-k weight.

    Given:  p = Mul(Tile(x), Transpose(R: f32[T,E])); y = ReduceSum(f(MatMul(p, *W: f32[E,..])), 0)
    Result: y = Combine(f(ExpertLinearT(Mul(Dispatch(x, ids), w), ids, *W)), 1), if f(0) = 0
    """
    changes = 0
    for node in list(model.graph):
        shape = graph_facts.shape_of(node.inputs[0]) if node.inputs else None
        if not graph_facts.is_op(node, "ReduceSum") or shape is None or len(shape) != 3:
            continue
        if graph_facts.axes_of(node) != [0] or node.inputs[0] is None or shape[0] == 1:
            continue
        found = _scaled(node.inputs[0], shape[0], shape[1])
        if found is None:
            continue
        try:
            changes += _rewrite(node, node.inputs[0], found, shape)
        except NotBatched as reason:
            context.notes.append(
                Note("missed", "experts",
                     f"{shape[0]} batched experts are computed for every token: {reason}",
                     node.name or "", graph_facts.origin_of(node), {"dense": True})
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _scaled(y: ir.Value, experts: int, tokens: int) -> Scaled | None:
    products: set[ir.Value] = set()
    readers: list[ir.Value] = []
    for node in graph_facts.ancestors([y]):
        if not graph_facts.is_op(node, "MatMul"):
            continue
        try:
            rows, _, _ = product_parts(node, experts)
        except NotBatched:
            continue
        root = graph_facts.before_reshapes(rows)
        if graph_facts.made_by(root, "Mul") is not None and _factors(root, experts, tokens):
            products.add(root)
            readers.append(rows)
    if len(products) != 1:
        return None
    product = products.pop()
    factors = _factors(product, experts, tokens)
    return None if factors is None else Scaled(product, readers, *factors)


def _factors(product: ir.Value, experts: int, tokens: int) -> tuple[ir.Value, ir.Value] | None:
    """Return (x [T, w], R [T, E]) when product [E * T, w] is x for every expert, times R^T."""
    node = graph_facts.made_by(product, "Mul")
    size = graph_facts.size_of(product)
    if node is None or size is None or not experts * tokens or size % (experts * tokens):
        return None
    width = size // (experts * tokens)
    for rows, scale in (node.inputs, tuple(reversed(node.inputs))):
        if rows is None or scale is None or graph_facts.size_of(scale) != experts * tokens:
            continue
        if graph_facts.size_of(rows) != size:
            continue
        x = moved_source(
            rows, (tokens, width), lambda a: np.broadcast_to(a, (experts, tokens, width))
        )
        matrix = moved_source(scale, (tokens, experts), lambda a: a.T)
        if x is not None and matrix is not None:
            return x, matrix
    return None


def _rewrite(node: ir.Node, y: ir.Value, found: Scaled, shape: tuple[int, ...]) -> int:
    experts, tokens, _ = shape
    emit = Emitter(node)
    choice = choice_of(emit, found.matrix, experts)
    if choice is None:
        raise NotBatched(f"{found.matrix.name} is not known to be zero for experts not chosen")
    if not _keeps_zero(y, found.product):
        raise NotBatched("an expert whose input is zero does not give zero")
    ids, weights = choice
    chosen = (graph_facts.size_of(ids) or 0) // tokens
    matrix = (tokens, chosen)
    ids = emit.cast(emit.reshape(with_shape(ids, matrix), *matrix), ir.DataType.INT64)
    target = ChosenRows(emit, ids, tokens)
    factor = emit.reshape(weights, tokens * chosen, 1)
    rows = emit.op("Mul", target.tokens(found.x), factor)
    body = BatchedBody(tokens, experts, target)
    for value in (found.product, *found.readers):
        body.know(value, rows)
    lifted = body.lift(y, Layout(0))
    dtype = lifted.dtype or ir.DataType.FLOAT
    ones = emit.constant(np.ones(matrix, dtype.numpy()), "ones")
    out = graph_facts.shape_of(node.outputs[0])
    assert out is not None
    replace(node.outputs[0], emit.reshape(regions.combine(emit, lifted, ones), *out))
    return 1


def _keeps_zero(y: ir.Value, product: ir.Value) -> bool:
    """Evaluate the experts on zeros: one input point, so that is a proof."""
    shape, dtype = graph_facts.shape_of(product), product.dtype
    if shape is None or dtype is None:
        return False
    weights = {v for n in graph_facts.ancestors([y], frozenset({product})) for v in n.inputs
               if v is not None and graph_facts.is_constant(v)}  # fmt: skip
    if sum(graph_facts.size_of(v) or 0 for v in weights) * shape[0] > LIMIT_ELEMENTS << 6:
        return False
    try:
        result = constant_eval.evaluate([y], {product: np.zeros(shape, dtype.numpy())})[0]
    except ValueError:
        return False
    return not result.any()
