"""Who fills the slots of experts: expert choice, soft slots, or tokens up to a capacity."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.routing import Route, RouterSite
from edgemoe.zero_scores import can_be_zero


def match(site: RouterSite) -> Route | str:
    """Understand what the rows x [slots, H] of a slotted region are made of."""
    if site.form != "slotted" or site.x is None or site.experts < 1:
        return "the experts do not work on slots"
    select = _select(site.x)
    if select is None:
        return "the slots are filled in an unknown way"
    parameters: dict[str, object] = {
        "score": "none", "select": select, "capacity": site.tokens // site.experts
    }  # fmt: skip
    return Route(site.x, parameters, described=True)


def _select(x: ir.Value) -> str | None:
    node = graph_facts.before_reshapes(x).producer()
    for _ in range(12):
        if node is None:
            return None
        if graph_facts.is_op(node, "Gather", "GatherND", "GatherElements"):
            return "expert_choice" if _comes_from(node.inputs[1], "TopK") else "capacity"
        if graph_facts.is_op(node, "ScatterND", "ScatterElements"):
            return "capacity"
        if graph_facts.is_op(node, "Einsum", "MatMul"):
            mixing = [v for v in node.inputs if v is not None and _comes_from(v, "Softmax")]
            zeros = [v for v in node.inputs if can_be_zero(v) is not None]
            if zeros:
                return "expert_choice" if _comes_from(zeros[0], "TopK") else "capacity"
            return "soft_slots" if mixing else None
        source = node.inputs[0] if node.inputs else None
        node = source.producer() if source is not None else None
    return None


def _comes_from(value: ir.Value | None, op_type: str) -> bool:
    """Tell whether such a node is behind a value, movements and elementwise operators between."""
    todo, seen = [value], set[ir.Node]()
    along = (*graph_facts.MOVEMENTS, *graph_facts.ELEMENTWISE, "GatherElements", "OneHot")
    while todo and len(seen) < 60:
        current = todo.pop()
        node = current.producer() if current is not None else None
        if node is None or node in seen:
            continue
        seen.add(node)
        if graph_facts.is_op(node, op_type):
            return True
        if graph_facts.is_op(node, *along):
            todo.extend(node.inputs)
    return False
