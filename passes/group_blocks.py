"""Run the mixing and norms of one matrix of a batch before those of the next."""

from __future__ import annotations

import math
from collections.abc import Iterable

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.outline import free_name, outline

LEAST_BLOCKS = 4
"""Fewer matrices than this are rather shared among threads step by step."""

LEAST_ROWS = 16
"""A block of fewer rows would leave the products with too few rows to reuse a weight for."""

WEIGHT_BYTES = 1 << 20
"""Weights of one region: they are read again for every block, so they must stay in a cache."""


MOST_BYTES = 1 << 28
"""Places in a batch are 32-bit numbers of bytes."""

BLOCK_BYTES = 1 << 18
"""Larger matrices would not stay in a cache from one step to the next."""


@graph_pass(phase="fuse", after=("fuse_linear", "fuse_softmax_gate"))
def group_blocks(model: ir.Model, context: PassContext) -> int:
    """Outline runs of operators that treat every matrix of a batch alike, as `Blocks_N`.

    Given:  n = LayerNormalization(x); m = TokenMix_0(W, n); y = Add(m, x)     (x: [B, S, C])
    Result: y = Blocks_0(x)                                       (computed for b in range(B))
    """
    del context
    changes = 0
    for run in list(_runs(model)):
        inside = set(run)
        ends = [
            node.outputs[0]
            for node in run
            if node.outputs[0].is_graph_output()
            or any(use.node not in inside for use in node.outputs[0].uses())
        ]
        made = {node.outputs[0] for node in run}
        inputs = dict.fromkeys(
            v
            for node in run
            for v in node.inputs
            if v is not None and v not in made and not graph_facts.is_constant(v)
        )
        name = free_name(model, "Blocks")
        outline(model, name, "Blocks", list(inputs), [], ends, {}, inline=1)
        changes += 1
    return changes


def _runs(model: ir.Model) -> Iterable[list[ir.Node]]:
    """Neighbouring nodes over the same batch that hold a mixing product between their tokens."""
    run: list[ir.Node] = []
    lead: tuple[int, ...] = ()
    held = 0
    for node in model.graph:
        of_node = _lead(node)
        nbytes = _weight_bytes(node)
        if run and (of_node != lead or held + nbytes > WEIGHT_BYTES):
            if _pays(run):
                yield run
            run, held = [], 0
        if of_node is not None and nbytes <= WEIGHT_BYTES:
            run.append(node)
            lead, held = of_node, held + nbytes
    if _pays(run):
        yield run


def _pays(run: list[ir.Node]) -> bool:
    kinds = [graph_facts.kind_of(node) for node in run]
    return len(run) > 1 and "TokenMix" in kinds


def _lead(node: ir.Node) -> tuple[int, ...] | None:
    """The batch axes that `node` treats alike, None when it mixes them or there are few."""
    if len(node.outputs) != 1 and any(o.uses() for o in node.outputs[1:]):
        return None
    shape = graph_facts.shape_of(node.outputs[0])
    if shape is None or len(shape) < 3 or node.outputs[0].dtype != ir.DataType.FLOAT:
        return None
    lead = shape[:-2]
    if math.prod(lead) < LEAST_BLOCKS or shape[-2] < LEAST_ROWS:
        return None
    if 4 * shape[-2] * shape[-1] > BLOCK_BYTES or 4 * math.prod(shape) > MOST_BYTES:
        return None
    rank = len(shape)
    for value in node.inputs:
        if value is None:
            continue
        operand = graph_facts.shape_of(value)
        if operand is None:
            return None
        if graph_facts.is_constant(value):
            if len(operand) > 2 and any(extent > 1 for extent in operand[:-2]):
                return None  # another constant for every block
        elif len(operand) != rank or operand[:-2] != lead:
            return None
    return lead if _is_alike(node, rank) else None


def _is_alike(node: ir.Node, rank: int) -> bool:
    if graph_facts.kind_of(node) in ("ChannelMix", "Linear", "SoftmaxGate", "TokenMix"):
        # A router is kept in float32, which is decided where it is seen beside its product.
        return not any(graph_facts.kind_of(u.node) == "Route" for u in node.outputs[0].uses())
    if node.domain not in ("", "ai.onnx"):
        return False
    if node.op_type in ("LayerNormalization", "RMSNormalization", "Softmax"):
        return graph_facts.axis_of(node, -1, rank) >= rank - 2
    return node.op_type in graph_facts.ELEMENTWISE


def _weight_bytes(node: ir.Node) -> int:
    constants = [v for v in node.inputs if graph_facts.is_constant(v)]
    return sum(4 * (graph_facts.size_of(v) or 0) for v in constants)
