"""Recognise experts that are computed in batched products over all of them (Llama 4, BlockFFN)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.batched_body import BatchedBody, Layout, NotBatched, product_parts
from edgemoe.batched_targets import ChosenRows, ScoredBlocks
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.outline import free_name, outline
from edgemoe.routing_matrix import choice_of
from edgemoe.row_source import moved_source, with_shape
from edgemoe.zero_scores import can_be_zero


@dataclass
class WeightedSum:
    """sum over e of matrix[t, e] * y[e, t] (or y[t, e])."""

    y: ir.Value
    matrix: ir.Value  # [T, E]
    layout: Layout
    tokens: int
    experts: int


@graph_pass(phase="recognise", exact="reassociation")
def recognise_batched(model: ir.Model, context: PassContext) -> int:
    """Compute only the chosen, or only the scored, of experts in batched products.

    Given:  h = Relu(MatMul(Tile(x), *W1: f32[E,H,I])); y = MatMul(h, *W2: f32[E,I,H]);
            z = ReduceSum(Mul(y, Unsqueeze(Transpose(R: f32[T,E]))), 0)
    Result: z = Combine(ExpertLinearT(Relu(..), ids, *W2), w) or, for other R, a scored region
    """
    changes = 0
    for node in list(model.graph):
        found = _weighted_sum(node)
        if found is None:
            continue
        try:
            changes += _rewrite(model, node, found, context)
        except NotBatched as reason:
            context.notes.append(
                Note("missed", "experts",
                     f"{found.experts} batched experts are computed for every token: {reason}",
                     node.name or "", graph_facts.origin_of(node), {"dense": True})
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _weighted_sum(node: ir.Node) -> WeightedSum | None:
    if graph_facts.is_op(node, "ReduceSum"):
        return _from_sum(node)
    if graph_facts.is_op(node, "Einsum"):
        return _from_einsum(node)
    return None


def _from_sum(node: ir.Node) -> WeightedSum | None:
    source = node.inputs[0]
    shape, axes = graph_facts.shape_of(source), graph_facts.axes_of(node)
    product = graph_facts.made_by(source, "Mul")
    if shape is None or len(shape) != 3 or axes not in ([0], [1]) or product is None:
        return None
    layout = Layout(axes[0])
    experts, tokens = shape[layout.expert_axis], shape[1 - layout.expert_axis]
    if experts == 1:  # one that every token needs: a shared expert
        return None
    for y, weights in (product.inputs, tuple(reversed(product.inputs))):
        if y is None or weights is None or graph_facts.shape_of(y) != shape:
            continue
        if graph_facts.shape_of(weights) != (*shape[:2], 1) or not _is_batched(y, experts):
            continue
        matrix: ir.Value | None = with_shape(weights, shape[:2])
        if layout.expert_axis == 0:
            matrix = moved_source(weights, (tokens, experts), np.transpose)
        if matrix is not None:
            return WeightedSum(y, matrix, layout, tokens, experts)
    return None


def _from_einsum(node: ir.Node) -> WeightedSum | None:
    """Einsum "te,teh->th" and "te,eth->th"."""
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    operands, arrow, output = equation.partition("->")
    terms = operands.split(",")
    if not arrow or len(terms) != 2 or sorted(map(len, terms)) != [2, 3] or len(output) != 2:
        return None
    index = 0 if len(terms[0]) == 2 else 1
    weights, y = node.inputs[index], node.inputs[1 - index]
    token, expert = terms[index][0], terms[index][1]
    if output[0] != token or terms[1 - index] not in (
        token + expert + output[1],
        expert + token + output[1],
    ):
        return None
    shape = graph_facts.shape_of(y)
    if y is None or weights is None or shape is None:
        return None
    layout = Layout(terms[1 - index].index(expert))
    experts, tokens = shape[layout.expert_axis], shape[1 - layout.expert_axis]
    if not _is_batched(y, experts):
        return None
    return WeightedSum(y, weights, layout, tokens, experts)


def _is_batched(value: ir.Value, experts: int, depth: int = 40) -> bool:
    """Tell whether a product with one constant matrix per expert leads to `value`."""
    node = value.producer()
    if node is None or depth == 0:
        return False
    if graph_facts.is_op(node, "MatMul", "Einsum"):
        try:
            product_parts(node, experts)
        except NotBatched:
            return False
        return True
    if not graph_facts.is_op(node, "Split", *graph_facts.ELEMENTWISE):
        return False
    return any(v is not None and _is_batched(v, experts, depth - 1) for v in node.inputs)


def _rewrite(model: ir.Model, node: ir.Node, found: WeightedSum, context: PassContext) -> int:
    emit = Emitter(node)
    choice = choice_of(emit, found.matrix, found.experts)
    shape = graph_facts.shape_of(node.outputs[0])
    assert shape is not None
    if choice is not None:
        ids, weights = choice
        chosen = (graph_facts.size_of(ids) or 0) // found.tokens
        matrix = (found.tokens, chosen)
        ids = emit.cast(emit.reshape(with_shape(ids, matrix), *matrix), ir.DataType.INT64)
        rows = ChosenRows(emit, ids, found.tokens)
        y = BatchedBody(found.tokens, found.experts, rows).lift(found.y, found.layout)
        weights = emit.reshape(with_shape(weights, matrix), *matrix)
        total = regions.combine(emit, y, emit.cast(weights, y.dtype or ir.DataType.FLOAT))
        replace(node.outputs[0], emit.reshape(total, *shape))
        return 1
    zeros = can_be_zero(found.matrix)
    if zeros is None:
        raise NotBatched("no score is ever exactly zero")
    return _scored(model, node, found, zeros, context)


def _scored(
    model: ir.Model, node: ir.Node, found: WeightedSum, zeros: str, context: PassContext
) -> int:
    emit = Emitter(node)
    target = ScoredBlocks(emit, found.tokens, found.experts)
    last, bias = found.y.producer(), None
    if last is not None and graph_facts.is_op(last, "Add"):
        for product, constant in (last.inputs, tuple(reversed(last.inputs))):
            if graph_facts.is_constant(constant) and product is not None:
                last, bias = product.producer(), constant
                break
    if last is None or not graph_facts.is_op(last, "MatMul", "Einsum"):
        raise NotBatched("something follows the last product of the experts")
    rows, weight, layout = product_parts(last, found.experts)
    if layout != found.layout:
        raise NotBatched(f"{last.name} changes the order of the axes")
    hidden = BatchedBody(found.tokens, found.experts, target).lift(rows, layout)
    if target.x is None:
        raise NotBatched("the experts do not depend on tokens")
    down = target.oriented(weight)
    width = (graph_facts.shape_of(down) or (0, 0))[1]
    if bias is not None:
        if graph_facts.size_of(bias) != found.experts * width:
            raise NotBatched(f"bias {bias.name} is not one vector per expert")
        bias = target.constant(bias, (width,))
    scores = emit.reshape(
        with_shape(found.matrix, (found.tokens, found.experts)), found.tokens, found.experts
    )
    y = regions.block_down(emit, hidden, scores, down, bias)
    shape = graph_facts.shape_of(node.outputs[0])
    assert shape is not None
    replace(node.outputs[0], emit.reshape(y, *shape))
    name = free_name(model, "MoE")
    metadata = {
        "edgemoe.routing": "scored", "edgemoe.body": "elementwise",
        "edgemoe.experts": str(found.experts), "edgemoe.nodes": "\n".join(target.covered),
    }  # fmt: skip
    inputs = [target.x, scores, *target.weight_inputs]
    call = outline(model, name, "MoE", inputs, ["x", "scores"], [y], metadata)
    inner = int(np.prod(graph_facts.shape_of(hidden) or (0,))) // found.tokens // found.experts
    facts: dict[str, object] = {
        "form": "scored", "region": name, "E": found.experts, "width": inner, "T": found.tokens,
        "zeros": zeros, "weights": [str(v.name) for v in target.weight_inputs],
    }  # fmt: skip
    text = f"{name}: {found.experts} blocks of {inner} neurons, skipped where the score is zero"
    origin = graph_facts.origin_of(call)
    context.notes.append(Note("matched", "experts", text, node.name or "", origin, facts))
    return 1
