"""Multiply-accumulates of a node, whatever computes it: the measure of coverage and of the census.

They are worst cases for the number of tokens in the graph: chosen experts only where experts are
indexed, all of them where they are scored. Elementwise operators, norms and reductions count 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.regions import EXPERT_LINEARS

Shape = tuple[int, ...]


def macs_of(model: ir.Model, node: ir.Node) -> int:
    """Multiply-accumulates of one call of `node`, with what happens inside functions and graphs.

    A Loop or Scan counts its body once; an If counts its larger branch.
    """
    if graph_facts.kind_of(node) in _PRIMITIVES:
        return _primitive(node)
    function = model.functions.get(node.op_identifier())
    if function is not None:
        return _sum(model, function)
    inner = [
        _sum(model, attribute.as_graph())
        for attribute in node.attributes.values()
        if attribute.type == ir.AttributeType.GRAPH
    ]
    return max(inner) if inner else _standard(node)


_PRIMITIVES = (*EXPERT_LINEARS, "BlockUp", "BlockDown", "RowDots", "RowSum")


def _sum(model: ir.Model, nodes: Iterable[ir.Node]) -> int:
    return sum(macs_of(model, node) for node in nodes)


def _primitive(node: ir.Node) -> int:
    shapes, out = _shapes(node), _out(node)
    if graph_facts.kind_of(node) == "BlockDown":
        return int(np.prod(shapes[0])) * shapes[2][1]
    if graph_facts.kind_of(node) == "RowSum":
        return int(np.prod(shapes[0])) * shapes[2][1]
    return out * shapes[0][-1]


def _standard(node: ir.Node) -> int:
    shapes = _shapes(node)
    if graph_facts.is_op(node, "MatMul", "MatMulInteger") and shapes[0]:
        return _out(node) * shapes[0][-1]
    if graph_facts.is_op(node, "Gemm") and shapes[0]:
        turned = graph_facts.attribute(node, "transA", 0)
        return _out(node) * (shapes[0][0] if turned else shapes[0][-1])
    if graph_facts.is_op(node, "QLinearMatMul") and shapes[0]:
        return _out(node) * shapes[0][-1]
    if graph_facts.is_op(node, "Conv", "ConvInteger") and len(shapes) > 1:
        return _out(node) * int(np.prod(shapes[1][1:]))
    if graph_facts.is_op(node, "ConvTranspose") and len(shapes) > 1:
        return int(np.prod(shapes[0])) * int(np.prod(shapes[1][1:]))
    if graph_facts.is_op(node, "Einsum"):
        return _einsum(node, shapes)
    return 0


def _einsum(node: ir.Node, shapes: list[Shape]) -> int:
    equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) < 2:
        return 0
    extents: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=False):
        extents.update(zip(term.replace(".", ""), shape[len(shape) - len(term.replace(".", "")) :],
                           strict=False))  # fmt: skip
    leading = max((int(np.prod(shape[: len(shape) - len(term.replace(".", ""))]))
                   for term, shape in zip(terms, shapes, strict=False)), default=1)  # fmt: skip
    return leading * int(np.prod(list(extents.values()))) if extents else 0


def _shapes(node: ir.Node) -> list[Shape]:
    return [graph_facts.shape_of(value) or () for value in node.inputs] or [()]


def _out(node: ir.Node) -> int:
    return graph_facts.size_of(node.outputs[0]) or 0
