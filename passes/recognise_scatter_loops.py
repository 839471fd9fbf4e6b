"""Recognise the classic loop over experts: where(ids == e), compute, index_add."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.anti_unify import AntiUnifier, Template
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.loop_rows import LoopRows, understand_loop
from edgemoe.row_source import with_shape
from edgemoe.template_rows import NotLifted, TemplateRows, emit_combine, split_weight
from edgemoe.zero_scores import is_zero


@dataclass
class Chain:
    """ScatterND nodes that follow each other, one per expert."""

    nodes: list[ir.Node]
    updates: list[ir.Value]
    rows: list[ir.Value]
    start: ir.Value


@graph_pass(phase="recognise", exact="reassociation")
def recognise_scatter_loops(model: ir.Model, context: PassContext) -> int:
    """Turn E copies of pick rows, compute, add back into one product per layer of the experts.

    Given:  r, j = NonZero(Equal(ids, 0)); a = ScatterND(0, r, f_0(x[r]) * w[r,j]) {add};
            r, j = NonZero(Equal(ids, 1)); y = ScatterND(a, r, f_1(x[r]) * w[r,j]) {add}
    Result: y = Combine(f(Dispatch(x, ids), ids), w), f of `ExpertLinear` with stacked weights
    """
    changes = 0
    for node in list(model.graph):
        chain = _chain(node)
        if chain is None:
            continue
        try:
            changes += _rewrite(chain)
        except NotLifted as reason:
            context.notes.append(
                Note("missed", "experts",
                     f"a loop over {len(chain.nodes)} experts stays unrolled: {reason}",
                     node.name or "", graph_facts.origin_of(node))
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    if changes:
        regions.add_bodies(model)
    return changes


def _chain(last: ir.Node) -> Chain | None:
    """Follow the accumulator up from the last ScatterND of a chain."""
    if not graph_facts.is_op(last, "ScatterND"):
        return None
    result = last.outputs[0]
    ends = result.is_graph_output() or bool(result.uses())
    goes_on = any(
        graph_facts.is_op(use.node, "ScatterND") and use.idx == 0 for use in result.uses()
    )
    if not ends or goes_on:
        return None
    nodes: list[ir.Node] = []
    updates: list[ir.Value] = []
    rows: list[ir.Value] = []
    node: ir.Node | None = last
    start: ir.Value | None = None
    while node is not None:
        base, index, _ = node.inputs
        added = added_by(node)
        if added is None or base is None or index is None:
            break
        nodes.append(node)
        updates.append(added)
        rows.append(index)
        start = base
        node = graph_facts.made_by(base, "ScatterND")
    if len(nodes) < 2 or start is None:
        return None
    return Chain(nodes[::-1], updates[::-1], rows[::-1], start)


def added_by(node: ir.Node) -> ir.Value | None:
    """Return what a ScatterND adds to the rows: with reduction, or as acc[r] = acc[r] + v."""
    base, index, update = node.inputs
    reduction = graph_facts.text_attribute(node, "reduction", "none")
    if reduction == "add":
        return update
    total = graph_facts.made_by(update, "Add")
    if reduction != "none" or total is None:
        return None
    for old, value in (total.inputs, tuple(reversed(total.inputs))):
        gather = graph_facts.made_by(old, "GatherND")
        if gather is not None and gather.inputs[0] is base and gather.inputs[1] is index:
            return value
    return None


def _rewrite(chain: Chain) -> int:
    unifier = AntiUnifier()
    update = unifier.unify(chain.updates)
    index = unifier.unify(chain.rows)
    if update is None or index is None:
        raise NotLifted("the experts are not computed alike")
    loop = understand_loop(update, index, len(chain.nodes))
    last = chain.nodes[-1]
    out = graph_facts.shape_of(last.outputs[0])
    shape = graph_facts.shape_of(loop.ids)
    assert out is not None and shape is not None
    tokens, chosen = shape
    if out[0] != tokens:
        raise NotLifted(f"the result has {out[0]} rows for {tokens} tokens")
    emit = Emitter(last)
    ids = emit.cast(with_shape(loop.ids, shape), ir.DataType.INT64)
    rows = _loop_rows(emit, loop, ids)
    body, weights = split_weight(update, lambda part: _weights(part, loop, shape))
    total = emit_combine(rows, rows.lift(body), weights, tokens, chosen)
    result = emit.reshape(total, *out)
    if not is_zero(chain.start):
        result = emit.op("Add", chain.start, result)
    replace(last.outputs[0], result)
    return 1


def _loop_rows(emit: Emitter, loop: LoopRows, ids: ir.Value) -> TemplateRows:
    tokens, chosen = graph_facts.shape_of(ids) or (0, 0)

    def leaf(part: Template) -> ir.Value | None:
        source = _picked(part)
        if source is None:
            return None
        value, index = source
        shape = graph_facts.shape_of(value)
        assert shape is not None
        if shape[0] == tokens and loop.picks_tokens(index):
            width = (graph_facts.size_of(value) or 0) // tokens
            matrix = emit.reshape(with_shape(value, (tokens, width)), tokens, width)
            rows = regions.dispatch(emit, matrix, ids)
            return emit.reshape(rows, tokens * chosen, *shape[1:])
        if shape[:2] == (tokens, chosen) and loop.picks_pairs(index):
            return emit.reshape(value, tokens * chosen, *shape[2:])
        raise NotLifted(f"{part.node.name} picks other rows")

    return TemplateRows(emit, ids, tokens * chosen, loop.order, leaf, lambda _: 1)


def _picked(part: Template) -> tuple[ir.Value, Template] | None:
    """Return (v, index) of v[index] where v is the same for all experts and no constant."""
    if not part.is_op("GatherND", "Gather"):
        return None
    source, index = part.children[:2]
    if source is None or index is None or source.kind != "shared":
        return None
    if index.kind != "op" or graph_facts.is_constant(source.value):
        return None
    if part.is_op("Gather") and graph_facts.attribute(part.node, "axis", 0) != 0:
        return None
    if graph_facts.attribute(part.node, "batch_dims", 0) != 0:
        return None
    return source.value, index


def _weights(part: Template, loop: LoopRows, shape: tuple[int, ...]) -> ir.Value | None:
    """Return w [T, K] when `part` [n, 1] is w at the picked pairs."""
    while part.is_op(*graph_facts.RESHAPES) and part.children[0] is not None:
        part = part.children[0]
    picked = _picked(part)
    if picked is None or not loop.picks_pairs(picked[1]):
        return None
    value = picked[0]
    if graph_facts.size_of(value) != shape[0] * shape[1]:
        return None
    return with_shape(value, shape)
