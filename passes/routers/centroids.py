"""Routers by distance to centroids: the nearest, or the farthest (Moirai-MoE's code)."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.routing import Route, RouterSite, without_casts


def match(site: RouterSite) -> Route | str:
    """Understand ids = TopK of distances |x - c_e|, the largest or the smallest."""
    if site.ids is None or site.weights is None:
        return "the region is scored"
    value = graph_facts.before_reshapes(site.ids)
    while (cast := graph_facts.made_by(value, "Cast")) is not None and cast.inputs[0] is not None:
        value = graph_facts.before_reshapes(cast.inputs[0])
    choice = graph_facts.made_by(value, "TopK", "ArgMax", "ArgMin")
    if choice is None or choice.inputs[0] is None:
        return "the ids are not chosen by a largest or smallest value"
    largest = bool(graph_facts.attribute(choice, "largest", 1))
    largest = graph_facts.is_op(choice, "ArgMax") if choice.op_type != "TopK" else largest
    ranked = without_casts(choice.inputs[0])
    negated = graph_facts.made_by(ranked, "Neg")
    if negated is not None and negated.inputs[0] is not None:
        ranked, largest = without_casts(negated.inputs[0]), not largest
    squared = _squared_distance(ranked)
    if squared is None:
        return "the experts are not ranked by a distance"
    softmax = graph_facts.made_by(without_casts(site.weights), "Softmax")
    parameters: dict[str, object] = {
        "score": "distance", "select": "topk", "k": site.chosen, "largest": largest,
        "squared": squared, "softmax_after": softmax is not None,
    }  # fmt: skip
    return Route(ranked, parameters, described=True)


def _squared_distance(value: ir.Value) -> bool | None:
    """Tell whether a value is a squared distance to constants, None where it is no distance."""
    root = graph_facts.made_by(value, "Sqrt")
    inner = without_casts(root.inputs[0]) if root is not None and root.inputs[0] else value
    clip = graph_facts.made_by(inner, "Clip", "Max", "Relu")
    if clip is not None and clip.inputs[0] is not None:
        inner = without_casts(clip.inputs[0])
    node = inner.producer()
    if graph_facts.is_op(node, "ReduceL2", "ReduceSumSquare") and node is not None:
        return graph_facts.is_op(node, "ReduceSumSquare") if _gap(node.inputs[0]) else None
    if graph_facts.is_op(node, "ReduceSum", "ReduceMean") and node is not None:
        square = graph_facts.made_by(node.inputs[0], "Mul", "Pow")
        if square is not None and _gap(square.inputs[0]):
            return root is None
    if graph_facts.is_op(node, "Add", "Sub") and node is not None and _expanded(inner):
        return root is None
    return None


def _gap(value: ir.Value | None) -> bool:
    """Tell whether this is x - c with constants c."""
    node = graph_facts.made_by(value, "Sub", "Abs")
    if node is not None and graph_facts.is_op(node, "Abs"):
        node = graph_facts.made_by(node.inputs[0], "Sub")
    if node is None:
        return False
    return any(_is_constant(v) for v in node.inputs)


def _is_constant(value: ir.Value | None) -> bool:
    return value is not None and graph_facts.is_constant(graph_facts.before_reshapes(value))


def _expanded(value: ir.Value) -> bool:
    """|x|^2 - 2 x.c + |c|^2: a sum with a product, squares of x, and constants or their squares."""
    near = {"squares": 0, "products": 0}
    todo, seen = [value], set[ir.Node]()
    while todo:
        node = todo.pop().producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        if graph_facts.is_op(node, "ReduceSum", "ReduceSumSquare", "ReduceL2"):
            near["squares"] += 1
        elif graph_facts.is_op(node, "MatMul", "Gemm"):
            near["products"] += 1
        elif graph_facts.is_op(node, "Add", "Sub", "Mul", *graph_facts.RESHAPES, "Expand", "Cast"):
            todo.extend(v for v in node.inputs if v is not None)
    return near["squares"] >= 1 and near["products"] == 1
