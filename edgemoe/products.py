"""Products with weights: which node multiplies, and with which constant."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts

PRODUCTS = ("MatMul", "Gemm", "Conv", "Einsum", "ConvTranspose")


def is_product(node: ir.Node | None) -> bool:
    """Tell whether a standard node multiplies and sums, with or without a constant."""
    return graph_facts.is_op(node, *PRODUCTS)


def constant_factor(node: ir.Node | None) -> ir.Value | None:
    """Return the constant that a product multiplies with."""
    if node is None or not is_product(node):
        return None
    return next((v for v in node.inputs if v is not None and graph_facts.is_constant(v)), None)


def nearest_products(value: ir.Value | None, limit: int = 64) -> list[ir.Node]:
    """Return the products with constants that lead to `value` without another between."""
    found: list[ir.Node] = []
    todo, seen = [value], set[ir.Node]()
    while todo and len(seen) < limit:
        current = todo.pop()
        node = current.producer() if current is not None else None
        if node is None or node in seen:
            continue
        seen.add(node)
        if constant_factor(node) is not None:
            found.append(node)
        elif graph_facts.kind_of(node) not in ("MoE", "Route"):
            todo.extend(node.inputs)
    return found
