"""Recognise a feed-forward whose hidden layer is cut into scored blocks (BlockFFN)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.block_body import BlockBody, NotBlockWise, derived, linear_parts
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.outline import free_name, outline
from edgemoe.row_source import with_shape
from edgemoe.zero_scores import can_be_zero


@dataclass
class Scored:
    """h [T, E, d] times scores [T, E, 1], before the product that leads down."""

    product: ir.Node
    hidden: ir.Value
    scores: ir.Value
    tokens: int
    experts: int
    width: int
    neurons: ir.Value | None = None  # a mask [E * d] over neurons, which the blocks were made for


BLOCK = 16
"""Neurons of a block where the model masks neurons one by one (slimmable layers)."""


@graph_pass(phase="recognise", after=("group_regions",), exact="reassociation")
def recognise_flat_blocks(model: ir.Model, context: PassContext) -> int:
    """Turn down(reshape(act(up(x))) * scores) into a region of `BlockUp` and `BlockDown`.

    Given:  h = Reshape(Relu(Gemm(x, *U: f32[E*d,H])), [T,E,d]); p = Mul(h, Unsqueeze(s, 2));
            y = Gemm(Reshape(p, [T,E*d]), *D: f32[H,E*d])
    Result: y = MoE_0(x, s, *U.blocks, *D.blocks)
    """
    changes = 0
    for node in list(model.graph):
        if not graph_facts.is_op(node, "Gemm", "MatMul"):
            continue
        scored = _scored(node)
        if scored is None:
            continue
        zeros = can_be_zero(scored.scores)
        try:
            if zeros is None:
                raise NotBlockWise("no score is ever exactly zero: all experts are computed")
            changes += _rewrite(model, node, scored, zeros, context)
        except NotBlockWise as reason:
            context.notes.append(
                Note("missed", "experts", f"a scored hidden layer stays dense: {reason}",
                     node.name or "", graph_facts.origin_of(node))
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _scored(node: ir.Node) -> Scored | None:
    rows = node.inputs[0]
    if rows is None or not graph_facts.is_constant(node.inputs[1]):
        return None
    product = graph_facts.made_by(graph_facts.before_reshapes(rows), "Mul")
    flat = graph_facts.shape_of(rows)
    if product is None or flat is None:
        return None
    shape = graph_facts.shape_of(product.outputs[0])
    if shape is not None and len(shape) == len(flat) and shape == flat:
        return _masked_neurons(product, shape)
    if shape is None or len(shape) < 3 or shape[-1] * shape[-2] != flat[-1]:
        return None
    for hidden, scores in (product.inputs, tuple(reversed(product.inputs))):
        if graph_facts.shape_of(hidden) == shape and graph_facts.shape_of(scores) == (
            *shape[:-1],
            1,
        ):
            if hidden is None or scores is None or graph_facts.is_constant(scores):
                continue
            tokens = int(np.prod(shape[:-2]))
            return Scored(product, hidden, scores, tokens, shape[-2], shape[-1])
    return None


def _masked_neurons(product: ir.Node, shape: tuple[int, ...]) -> Scored | None:
    """Take h [.., I] times a mask [I] that is the same for all tokens and known at run time."""
    size = shape[-1]
    width = next((w for w in (BLOCK, BLOCK // 2) if size % w == 0 and size > w), 0)
    for hidden, mask in (product.inputs, tuple(reversed(product.inputs))):
        if hidden is None or mask is None or graph_facts.shape_of(hidden) != shape or not width:
            continue
        own = graph_facts.shape_of(mask)
        if own is None or own[-1:] != (size,) or int(np.prod(own)) != size:
            continue
        if graph_facts.is_constant(mask) or can_be_zero(mask) is None:
            continue
        tokens = int(np.prod(shape[:-1]))
        return Scored(product, hidden, mask, tokens, size // width, width, neurons=mask)
    return None


def _rewrite(
    model: ir.Model, node: ir.Node, scored: Scored, zeros: str, context: PassContext
) -> int:
    last, bias = _with_bias(node)
    _, weight, bias, flipped = linear_parts(node, bias)
    tokens, experts, width = scored.tokens, scored.experts, scored.width
    emit = Emitter(last)
    body = BlockBody(emit, tokens, experts, width)
    hidden = body.lift(scored.hidden)
    if body.x is None:
        raise NotBlockWise("the hidden layer does not depend on tokens")
    masks: list[ir.Value] = []
    if scored.neurons is None:
        scores = emit.reshape(with_shape(scored.scores, (tokens, experts)), tokens, experts)
    else:
        masks = [emit.reshape(scored.neurons, experts, width)]
        hidden = emit.op("Mul", hidden, masks[0])
        scores = _scores_of_blocks(emit, masks[0], tokens)
    out = (graph_facts.shape_of(weight) or (0, 0))[1 if flipped else 0]

    def cut(a: np.ndarray) -> np.ndarray:
        matrix = a if flipped else a.T  # [E*d, H]
        return matrix.reshape(experts, width, out).transpose(0, 2, 1)

    down = derived(emit, weight, "blocks", (experts, out, width), cut)
    shape = graph_facts.shape_of(last.outputs[0])
    assert shape is not None
    y = regions.block_down(emit, hidden, scores, down, None)
    x = body.x
    inputs = [x, scores, *dict.fromkeys(body.weight_inputs), down, *masks]
    metadata = {
        "edgemoe.routing": "scored", "edgemoe.body": "elementwise",
        "edgemoe.experts": str(experts), "edgemoe.nodes": "\n".join(body.covered),
    }  # fmt: skip
    result = y if bias is None else emit.op("Add", y, bias)
    replace(last.outputs[0], emit.reshape(result, *shape))
    name = free_name(model, "MoE")
    call = outline(model, name, "MoE", inputs, ["x", "scores"], [y], metadata)
    facts: dict[str, object] = {
        "form": "scored", "region": name, "E": experts, "width": width, "T": tokens,
        "zeros": zeros, "weights": [str(v.name) for v in [*body.weight_inputs, down]],
    }  # fmt: skip
    context.notes.append(
        Note("matched", "experts",
             f"{name}: {experts} blocks of {width} neurons, skipped where the score is zero",
             node.name or "", graph_facts.origin_of(call), facts)
    )  # fmt: skip
    return 1


def _scores_of_blocks(emit: Emitter, masks: ir.Value, tokens: int) -> ir.Value:
    """Return [T, E]: 1 where any neuron of a block is on; the neurons' own mask comes on top."""
    dtype = masks.dtype or ir.DataType.FLOAT
    largest = emit.op("ReduceMax", emit.op("Abs", masks), emit.ints(1), keepdims=0)
    zero = emit.constant(np.array(0, dtype.numpy()), "zero")
    active = emit.cast(emit.op("Greater", largest, zero), dtype)
    experts = (graph_facts.shape_of(masks) or (0,))[0]
    return emit.op("Expand", emit.reshape(active, 1, experts), emit.ints(tokens, experts))


def _with_bias(node: ir.Node) -> tuple[ir.Node, ir.Value | None]:
    """Return the last node of the product: an Add of a constant bias after a MatMul counts."""
    user = graph_facts.only_user(node.outputs[0])
    if graph_facts.is_op(node, "MatMul") and user is not None and graph_facts.is_op(user, "Add"):
        bias = graph_facts.other_input(user, node.outputs[0])
        if graph_facts.is_constant(bias):
            return user, bias
    return node, None
