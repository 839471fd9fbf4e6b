"""Recognise experts of one neuron each, which are rows of two tables (PEER)."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.row_source import gathered_ids, moved_source


@graph_pass(phase="recognise", exact="reassociation")
def recognise_rows(model: ir.Model, context: PassContext) -> int:
    """Read rows of tables where they are used, without a gathered copy.

    Given:  h = Einsum(x, Gather(*U: f32[N,H], ids)) {th,tkh->tk};
            y = Einsum(f(h), Gather(*V: f32[N,H], ids)) {tk,tkh->th}
    Result: h = RowDots(x, ids, *U); y = RowSum(f(h), ids, *V)
    """
    changes = 0
    downs = [found for node in model.graph if (found := _dots(node)) is not None]
    ups = [found for node in model.graph if (found := _sum(node)) is not None]
    for down in downs:
        for up in ups:
            if _fit(down, up):
                _rewrite(down, up, context)
                changes += 1
                break
    if changes:
        regions.add_bodies(model)
    return changes


class _Use:
    """One table with its ids [T, S] (of any rank), and the product that reads the rows."""

    def __init__(self, gather: ir.Node, ids: ir.Value, product: ir.Node, other: ir.Value) -> None:
        self.table, self.ids, self.product, self.other = gather.inputs[0], ids, product, other
        self.result = product.outputs[0]


def _fit(down: _Use, up: _Use) -> bool:
    shape = graph_facts.shape_of(down.table)
    if not graph_facts.same_elements(down.ids, up.ids) or shape != graph_facts.shape_of(up.table):
        return False
    return down.product in graph_facts.ancestors([up.other])


def _gather(value: ir.Value | None) -> tuple[ir.Node, ir.Value] | None:
    node = value.producer() if value is not None else None
    ids = gathered_ids(node, rank=2) if node is not None else None
    if node is None or ids is None or graph_facts.only_user(node.outputs[0]) is None:
        return None
    return node, ids


def _terms(node: ir.Node) -> tuple[str, str, str] | None:
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    left, _, output = equation.partition("->")
    terms = left.split(",")
    return (terms[0], terms[1], output) if len(terms) == 2 and "." not in equation else None


def _dots(node: ir.Node) -> _Use | None:
    """Take x [.., H] times rows [.., S, H], summed over H."""
    if graph_facts.is_op(node, "Einsum") and (terms := _terms(node)) is not None:
        for index in (0, 1):
            found, x = _gather(node.inputs[index]), node.inputs[1 - index]
            if found is None or x is None:
                continue
            rows, row, output = terms[index], terms[1 - index], terms[2]
            lead = row[:-1]
            if row[-1] == rows[-1] and output == rows[:-1] and rows.startswith(lead):
                return _Use(*found, node, x)
    if graph_facts.is_op(node, "ReduceSum"):
        product = graph_facts.made_by(node.inputs[0], "Mul")
        shape = graph_facts.shape_of(node.inputs[0])
        axes = graph_facts.axes_of(node) if product is not None else None
        for index in (0, 1) if product is not None and shape is not None else ():
            found = _gather(product.inputs[index])  # type: ignore[union-attr]
            x = product.inputs[1 - index]  # type: ignore[union-attr]
            if found is None or x is None or axes != [len(shape) - 1]:  # type: ignore[arg-type]
                continue
            return _Use(*found, node, x)
    if graph_facts.is_op(node, "MatMul"):  # rows [.., S, H] @ x [.., H, 1]
        found, x = _gather(node.inputs[0]), node.inputs[1]
        shape = graph_facts.shape_of(x)
        if found is not None and x is not None and shape is not None and shape[-1:] == (1,):
            return _Use(*found, node, x)
    return None


def _sum(node: ir.Node) -> _Use | None:
    """Scores [.., S] times rows [.., S, H], summed over S."""
    if graph_facts.is_op(node, "Einsum") and (terms := _terms(node)) is not None:
        for index in (0, 1):
            found, scores = _gather(node.inputs[index]), node.inputs[1 - index]
            if found is None or scores is None:
                continue
            rows, own, output = terms[index], terms[1 - index], terms[2]
            lead = output[:-1]
            if own == rows[:-1] and output[-1] == rows[-1] and rows.startswith(lead):
                return _Use(*found, node, scores)
    if graph_facts.is_op(node, "MatMul"):  # scores [.., 1, S] @ rows [.., S, H]
        found, scores = _gather(node.inputs[1]), node.inputs[0]
        shape = graph_facts.shape_of(scores)
        single = shape is not None and len(shape) > 1 and shape[-2] == 1
        if found is not None and scores is not None and single:
            return _Use(*found, node, scores)
    return None


def _rewrite(down: _Use, up: _Use, context: PassContext) -> None:
    ids, width = down.ids, (graph_facts.shape_of(down.table) or (0, 0))[1]
    tokens = (graph_facts.size_of(up.result) or 0) // width
    chosen = (graph_facts.size_of(ids) or 0) // tokens
    x = _tokens(down.other, tokens, width, chosen)
    if x is None or down.table is None or up.table is None:
        return
    emit = Emitter(down.product)
    flat = emit.cast(emit.reshape(ids, tokens, chosen), ir.DataType.INT64)
    dots = regions.row_dots(emit, emit.reshape(x, tokens, width), flat, down.table)
    replace(down.result, emit.reshape(dots, *(graph_facts.shape_of(down.result) or ())))
    emit = Emitter(up.product)
    scores = emit.reshape(up.other, tokens, chosen)
    total = regions.row_sum(emit, scores, flat, up.table)
    replace(up.result, emit.reshape(total, *(graph_facts.shape_of(up.result) or ())))
    experts = (graph_facts.shape_of(down.table) or (0,))[0]
    facts: dict[str, object] = {
        "form": "rows", "E": experts, "k": chosen, "T": tokens,
        "weights": [str(down.table.name), str(up.table.name)],
    }  # fmt: skip
    text = f"{experts} experts of one neuron, {chosen} chosen for each of {tokens} tokens"
    origin = graph_facts.origin_of(total.producer())
    context.notes.append(Note("matched", "experts", text, up.product.name or "", origin, facts))


def _tokens(value: ir.Value, tokens: int, width: int, chosen: int) -> ir.Value | None:
    """Return x [T, H] of what is multiplied: itself, or repeated for the choices."""
    if graph_facts.size_of(value) == tokens * width:
        return value
    del chosen
    return moved_source(value, (tokens, width), lambda a: a)
