"""Find the shared experts beside a region: what is computed from its tokens and added to it."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.products import constant_factor, is_product


@dataclass(frozen=True)
class SharedExperts:
    """`gated`: at least one is multiplied by a sigmoid of one number per token."""

    count: int
    gated: bool
    weights: tuple[ir.Value, ...]
    products: tuple[ir.Node, ...]


def shared_experts(region: ir.Node) -> SharedExperts | None:
    """Return the shared experts that are added to the result of a region, None without any."""
    x = region.inputs[0]
    if x is None:
        return None
    after = _descendants(graph_facts.before_reshapes(x), stop=region)
    count, gated, products = 0, False, dict[ir.Node, None]()
    value: ir.Value | None = region.outputs[0]
    for _ in range(6):  # reshapes, a scale, the sums
        user = graph_facts.only_user(value) if value is not None else None
        if user is None or not graph_facts.is_op(user, "Add", "Mul", *graph_facts.RESHAPES):
            break
        if graph_facts.is_op(user, "Add") and value is not None:
            nodes = _summand(graph_facts.other_input(user, value), after)
            found = [node for node in nodes if constant_factor(node) is not None]
            if found and not any(is_product(n) and constant_factor(n) is None for n in nodes):
                count += 1
                gated |= any(_is_gate(node) for node in nodes)
                products.update(dict.fromkeys(found))
        value = user.outputs[0]
    if not count:
        return None
    weights = (constant_factor(node) for node in products)
    unique = tuple(dict.fromkeys(value for value in weights if value is not None))
    return SharedExperts(count, gated, unique, tuple(products))


def _summand(value: ir.Value | None, after: dict[ir.Node, None]) -> list[ir.Node]:
    """Return the nodes of a summand that are computed from the region's tokens."""
    found = graph_facts.ancestors([value] if value is not None else [])
    return [node for node in after if node in found]


def _is_gate(node: ir.Node) -> bool:
    shape = graph_facts.shape_of(node.outputs[0])
    return graph_facts.is_op(node, "Sigmoid") and bool(shape) and shape[-1] == 1  # type: ignore[index]


def _descendants(value: ir.Value, stop: ir.Node, limit: int = 400) -> dict[ir.Node, None]:
    found: dict[ir.Node, None] = {}
    todo = [value]
    for current in todo:
        if len(found) >= limit:
            break
        for use in current.uses():
            if use.node not in found and use.node is not stop:
                found[use.node] = None
                todo.extend(use.node.outputs)
    return found
