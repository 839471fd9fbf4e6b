"""Count the weights of a recognised graph by what they are for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.regions import EXPERT_LINEARS

ROLES = ("expert", "router", "shared expert", "attention", "embedding", "rest")
_PRODUCTS = ("MatMul", "Gemm", "Conv", "Einsum")


@dataclass(frozen=True)
class Role:
    """All weights of one role: how many, their bytes, and multiply-accumulates of one call.

    `macs` are worst cases for the number of tokens in the graph: chosen experts only where they
    are indexed, all of them where they are scored.
    """

    role: str
    weights: int
    nbytes: int
    macs: int


def census(model: ir.Model) -> list[Role]:
    """Return one entry per role that occurs, in the order of `ROLES`."""
    roles: dict[ir.Value, str] = {}
    regions = [node for node in model.graph if graph_facts.kind_of(node) == "MoE"]
    for node in model.graph:
        if graph_facts.kind_of(node) in EXPERT_LINEARS:  # a product that no region holds
            roles.update((value, "expert") for value in node.inputs[2:] if value is not None)
    for node in regions:
        first = 3 if node.metadata_props.get("edgemoe.routing") == "indexed" else 2
        for value in node.inputs[first:]:
            if value is not None and graph_facts.is_constant(value):
                roles[value] = "expert"
        _mark_router(node, roles)
    for node in regions:
        _mark_shared(node, roles)
    _mark_attention(model.graph, roles)
    for node in model.graph:
        if graph_facts.is_op(node, "Gather") and graph_facts.is_constant(node.inputs[0]):
            table, ids = node.inputs[:2]
            wide = len(graph_facts.shape_of(table) or ()) == 2
            if table is not None and wide and not graph_facts.is_constant(ids):
                roles.setdefault(table, "embedding")
    counts = {role: [0, 0, 0] for role in ROLES}
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or not tensor.dtype.is_floating_point():
            continue
        entry = counts[roles.get(value, "rest")]
        entry[0] += 1
        entry[1] += tensor.nbytes
    for node in model.graph:
        _count_macs(model, node, roles, counts)
    return [Role(role, *counts[role]) for role in ROLES if any(counts[role])]


def _count_macs(
    model: ir.Model, node: ir.Node, roles: dict[ir.Value, str], counts: dict[str, list[int]]
) -> None:
    if graph_facts.kind_of(node) == "MoE":
        function = model.functions[node.op_identifier()]
        counts["expert"][2] += sum(_macs(inner) for inner in function)
        return
    if graph_facts.kind_of(node) in EXPERT_LINEARS:
        counts["expert"][2] += _macs(node)
        return
    weight = _weight(node)
    if weight is not None:
        counts[roles.get(weight, "rest")][2] += _macs(node)
    elif graph_facts.is_op(node, "MatMul", "Einsum"):
        counts["rest"][2] += _macs(node)


def _macs(node: ir.Node) -> int:
    """Multiply-accumulates of one node."""
    shapes = [graph_facts.shape_of(value) or () for value in node.inputs]
    out = graph_facts.size_of(node.outputs[0]) or 0
    kind = graph_facts.kind_of(node)
    if kind in EXPERT_LINEARS:
        return out * shapes[0][-1]
    if kind == "BlockUp":
        return out * shapes[0][-1]
    if kind == "BlockDown":
        return int(np.prod(shapes[0])) * shapes[2][1]
    if graph_facts.is_op(node, "MatMul", "Gemm") and shapes[0]:
        turned = graph_facts.attribute(node, "transA", 0)
        return out * (shapes[0][0] if turned else shapes[0][-1])
    if graph_facts.is_op(node, "Conv") and len(shapes) > 1:
        return out * int(np.prod(shapes[1][1:]))
    if graph_facts.is_op(node, "Einsum"):
        equation = graph_facts.text_attribute(node, "equation", "").replace(" ", "")
        extents: dict[str, int] = {}
        for term, shape in zip(equation.partition("->")[0].split(","), shapes, strict=False):
            extents.update(zip(term, shape, strict=False))
        return int(np.prod(list(extents.values()))) if extents else 0
    return 0


def _weight(node: ir.Node | None) -> ir.Value | None:
    """Return the constant that a product multiplies with."""
    if node is None or not graph_facts.is_op(node, *_PRODUCTS):
        return None
    return next((v for v in node.inputs if v is not None and graph_facts.is_constant(v)), None)


def _nearest_products(value: ir.Value | None, limit: int = 64) -> list[ir.Node]:
    """Return the products with constant weights that lead to `value` without another between."""
    found: list[ir.Node] = []
    todo, seen = [value], set[ir.Node]()
    while todo and len(seen) < limit:
        current = todo.pop()
        node = current.producer() if current is not None else None
        if node is None or node in seen:
            continue
        seen.add(node)
        if _weight(node) is not None:
            found.append(node)
        elif graph_facts.kind_of(node) not in ("MoE", "Route"):
            todo.extend(node.inputs)
    return found


def _mark_router(region: ir.Node, roles: dict[ir.Value, str]) -> None:
    routing = region.inputs[1]
    route = graph_facts.called_by(routing, "Route")
    starts = [route.inputs[0]] if route is not None else list(region.inputs[1:3])
    if region.metadata_props.get("edgemoe.routing") == "scored" and route is None:
        starts = [routing]
    for value in route.inputs[1:] if route is not None else ():
        if value is not None:
            roles[value] = "router"
    for start in starts:
        for product in _nearest_products(start):
            for value in product.inputs:
                if value is not None and graph_facts.is_constant(value):
                    roles.setdefault(value, "router")


def _mark_shared(region: ir.Node, roles: dict[ir.Value, str]) -> None:
    """Mark what is computed from the region's tokens and added to its result."""
    x = region.inputs[0]
    if x is None:
        return
    after = _descendants(graph_facts.before_reshapes(x), stop=region)
    value: ir.Value | None = region.outputs[0]
    for _ in range(4):  # reshapes, a scale, the sum
        user = graph_facts.only_user(value) if value is not None else None
        if user is None:
            return
        if graph_facts.is_op(user, "Add"):
            other = graph_facts.other_input(user, value) if value is not None else None
            for node in graph_facts.ancestors([other] if other is not None else []):
                weight = _weight(node)
                if node in after and weight is not None:
                    roles.setdefault(weight, "shared expert")
            value = user.outputs[0]
        elif graph_facts.is_op(user, "Mul", *graph_facts.RESHAPES):
            value = user.outputs[0]
        else:
            return


def _descendants(value: ir.Value, stop: ir.Node, limit: int = 400) -> set[ir.Node]:
    found: set[ir.Node] = set()
    todo = [value]
    while todo and len(found) < limit:
        for use in todo.pop(0).uses():
            if use.node not in found and use.node is not stop:
                found.add(use.node)
                todo.extend(use.node.outputs)
    return found


def _mark_attention(graph: ir.Graph, roles: dict[ir.Value, str]) -> None:
    """Softmax of a product of two activations, multiplied with a third."""
    for node in graph:
        if not graph_facts.is_op(node, "MatMul") or _weight(node) is not None:
            continue
        probabilities = _leads_back(node.inputs[0], "Softmax")
        scores = _leads_back(probabilities.inputs[0], "MatMul") if probabilities else None
        if scores is None or _weight(scores) is not None:
            continue
        for value in (*scores.inputs, node.inputs[1]):
            for product in _nearest_products(value):
                _mark(product, roles)
        out: ir.Value | None = node.outputs[0]
        while out is not None and (user := graph_facts.only_user(out)) is not None:
            if _weight(user) is not None:
                _mark(user, roles)
                break
            out = user.outputs[0] if graph_facts.is_op(user, *graph_facts.MOVEMENTS) else None


def _mark(product: ir.Node, roles: dict[ir.Value, str]) -> None:
    weight = _weight(product)
    if weight is not None:
        roles.setdefault(weight, "attention")


def _leads_back(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """Follow elementwise operators and reshapes up to a node of this type."""
    for _ in range(8):
        node = value.producer() if value is not None else None
        if node is None or graph_facts.is_op(node, op_type):
            return node
        if not graph_facts.is_op(node, *graph_facts.ELEMENTWISE, *graph_facts.RESHAPES):
            return None
        inputs = [v for v in node.inputs if v is not None and not graph_facts.is_constant(v)]
        if graph_facts.is_op(node, "Where"):
            inputs = [
                v for v in node.inputs[1:] if v is not None and not graph_facts.is_constant(v)
            ]
        value = next((v for v in inputs if v.producer() is not None), None)
    return None
