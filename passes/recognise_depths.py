"""Note layers that run for some tokens of a sequence only (mixture of depths)."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.graph_pass import Note, PassContext, graph_pass

_INDEX = ("Expand", "Unsqueeze", "Reshape", "Squeeze", "Cast", "Identity", "Tile", "Concat")


@graph_pass(phase="recognise", after=("group_regions",))
def recognise_depths(model: ir.Model, context: PassContext) -> int:
    """Say where the best tokens are gathered, computed on, and written back; nothing changes.

    Given:  t = TopK(scores: f32[B,T], C); y = ScatterElements(x, t, f(GatherElements(x, t)))
    Result: the same graph: C of T tokens are computed as it is
    """
    for node in model.graph:
        found = _subset(node)
        if found is None:
            continue
        chosen, tokens = found
        facts: dict[str, object] = {"form": "token_subset", "k": chosen, "T": tokens}
        text = f"a layer for {chosen} of {tokens} tokens: only these are computed"
        context.notes.append(
            Note("matched", "experts", text, node.name or "", graph_facts.origin_of(node), facts)
        )
    return 0


def _subset(node: ir.Node) -> tuple[int, int] | None:
    """Return (C, T) when a scatter writes back what was computed on gathered tokens."""
    if not graph_facts.is_op(node, "ScatterElements", "ScatterND") or len(node.inputs) < 3:
        return None
    choice = _choice(node.inputs[1])
    if choice is None:
        return None
    scores = graph_facts.shape_of(choice.inputs[0])
    chosen = graph_facts.shape_of(choice.outputs[1])
    base = graph_facts.shape_of(node.outputs[0])
    if scores is None or chosen is None or base is None or scores != base[: len(scores)]:
        return None
    if len(base) != len(scores) + 1 or not _computed_on_gathered(node.inputs[2], choice):
        return None
    return chosen[-1], scores[-1]


def _choice(index: ir.Value | None, depth: int = 16) -> ir.Node | None:
    """Follow indices up to the TopK of scores that chose them; sorting them is looked through."""
    for _ in range(depth):
        node = index.producer() if index is not None else None
        if node is None or index is None:
            return None
        if graph_facts.is_op(node, "TopK"):
            source = node.inputs[0]
            if source is not None and source.dtype is not None and source.dtype.is_integer():
                index = source  # indices in order
                continue
            return node if index.index() == 1 else None
        if graph_facts.is_op(node, "GatherElements", *_INDEX):
            moving = [v for v in node.inputs if v is not None and not graph_facts.is_constant(v)]
            index = moving[0] if moving else None
            continue
        return None
    return None


def _computed_on_gathered(value: ir.Value | None, choice: ir.Node) -> bool:
    if value is None:
        return False
    nodes = graph_facts.ancestors([value], frozenset(choice.outputs))
    gathers = ("GatherElements", "GatherND", "Gather")
    products = any(graph_facts.is_op(n, "MatMul", "Gemm", "Conv") for n in nodes)
    return products and any(
        graph_facts.is_op(n, *gathers) and _choice(n.inputs[1]) is choice for n in nodes
    )
