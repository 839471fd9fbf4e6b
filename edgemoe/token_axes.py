"""Which axis of a value counts tokens: places of an image, steps of a series, patches.

Two proofs are known. A map [B, C, H, W] that is flattened has its places on the last axis, and the
place is followed from there. Elsewhere a Transpose that brings an axis to the end, computations
inside the rows that arise, and a Transpose that takes it away again work on that axis.
"""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.constant_products import Product, product_of

_ROWS = graph_facts.ELEMENTWISE | {"Softmax", "LogSoftmax", "LayerNormalization", "Split", "Slice"}
_MAPS = ("Conv", "AveragePool", "MaxPool", "BatchNormalization", "Relu", "Gelu")


class TokenAxes:
    """The token axes of a graph, as far as they are proved."""

    def __init__(self, graph: ir.Graph) -> None:
        self._known: dict[ir.Value, int] = {}
        self._turned: set[ir.Value] = set()
        nodes = list(graph)
        for node in nodes:
            self._follow(node)
        for node in nodes:
            if _brings_to_end(node):
                self._turned |= _closed_region(node)

    def sums_tokens(self, product: Product) -> bool:
        """Tell whether a product mixes tokens."""
        if product.node.op_type == "Conv":
            return _has_channels_last(product.x)
        if product.x in self._known:
            return self._known[product.x] == product.axis
        rank = len(graph_facts.shape_of(product.x) or ())
        return product.axis == rank - 2 or product.x in self._turned

    def _follow(self, node: ir.Node) -> None:
        output, x = node.outputs[0], node.inputs[0] if node.inputs else None
        if _flattens_map(node):
            self._known[output] = 2
            return
        sources = [v for v in node.inputs if v in self._known]
        if not sources or x is None:
            return
        axis = self._known[sources[0]]
        if graph_facts.is_op(node, "Transpose"):
            self._known[output] = list(node.attributes["perm"].as_ints()).index(axis)
        elif graph_facts.is_op(node, *_ROWS) or product_of(node) is not None:
            rank = len(graph_facts.shape_of(sources[0]) or ())
            for value in node.outputs:
                if len(graph_facts.shape_of(value) or ()) == rank:
                    self._known[value] = axis


def _flattens_map(node: ir.Node) -> bool:
    """Tell whether a node makes [B, C, H * W] of a map [B, C, H, W]."""
    if not graph_facts.is_op(node, "Reshape"):
        return False
    before, after = graph_facts.shape_of(node.inputs[0]), graph_facts.shape_of(node.outputs[0])
    if before is None or after is None or len(before) != 4 or len(after) != 3:
        return False
    source = node.inputs[0]
    assert source is not None
    is_map = source.is_graph_input() or graph_facts.made_by(source, *_MAPS) is not None
    return is_map and before[:2] == after[:2] and before[2] * before[3] == after[2] > 1


def _brings_to_end(node: ir.Node) -> bool:
    perm = node.attributes.get("perm") if graph_facts.is_op(node, "Transpose") else None
    return perm is not None and list(perm.as_ints())[-1] != len(perm.as_ints()) - 1


def _closed_region(opening: ir.Node) -> set[ir.Value]:
    """Values between a Transpose and those that undo it; none when one leaves otherwise."""
    region = {opening.outputs[0]}
    todo = [opening.outputs[0]]
    closed = False
    while todo:
        value = todo.pop()
        if value.is_graph_output():
            return set()
        for use in value.uses():
            node = use.node
            if _brings_to_end(node):
                closed = True
                continue
            product = product_of(node)
            in_row = graph_facts.is_op(node, *_ROWS) or (
                product is not None
                and node.op_type != "Conv"
                and product.weight in node.inputs[1:2]
            )
            if not in_row:
                return set()
            for output in node.outputs:
                if output not in region:
                    region.add(output)
                    todo.append(output)
    inside = all(
        v is None or v in region or graph_facts.is_constant(v)
        for value in region if value is not opening.outputs[0]
        for v in getattr(value.producer(), "inputs", ())
    )  # fmt: skip
    return region if closed and inside else set()


def _has_channels_last(value: ir.Value) -> bool:
    """Tell whether a value [B, T, C] was normalised, or multiplied, along its last axis."""
    for _ in range(16):
        node = value.producer()
        if node is None or len(graph_facts.shape_of(value) or ()) != 3:
            return False
        if graph_facts.is_op(node, "LayerNormalization", "MatMul", "Gemm"):
            return True
        if not graph_facts.is_op(node, *_ROWS):
            return False
        source = next((v for v in node.inputs if not graph_facts.is_constant(v)), None)
        if source is None:
            return False
        value = source
    return False
