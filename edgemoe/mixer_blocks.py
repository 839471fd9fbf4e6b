"""The ways in which products follow each other in a mixer: MLP, gate, spatial gate, low rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.constant_products import Product, after_bias
from edgemoe.token_axes import TokenAxes

_BENDS = frozenset(
    ["Relu", "Gelu", "Sigmoid", "Tanh", "Erf", "Softplus", "HardSwish", "HardSigmoid", "Elu",
     "Celu", "Mish", "LeakyRelu", "PRelu", "Selu", "Swish", "Clip", "Softsign", "ThresholdedRelu"]
)  # fmt: skip
_GATES = {"Softmax": "softmax", "Sigmoid": "sigmoid", "HardSigmoid": "hard sigmoid"}


@dataclass(frozen=True)
class Block:
    """One recognised computation: its form, where it is, and its sizes."""

    form: str
    node: ir.Node
    facts: Mapping[str, object]


@dataclass
class ProductBlocks:
    """Sorts the products of a graph into blocks; each product belongs to one at most."""

    products: Mapping[ir.Node, Product]
    axes: TokenAxes
    taken: set[ir.Node] = field(default_factory=set)

    def find(self) -> list[Block]:
        """Return the blocks, in the order of their last products."""
        found: list[Block] = []
        for rule in (self._gate, self._low_rank, self._mlp, self._spatial_gate, self._linear):
            for product in self.products.values():
                if product.node not in self.taken:
                    block = rule(product)
                    if block is not None:
                        self.taken.add(product.node)
                        found.append(block)
        return found

    def _gate(self, product: Product) -> Block | None:
        """Find x * softmax(x W + b): the gated attention of TSMixer."""
        squash = graph_facts.only_user(after_bias(product.result))
        if squash is None or squash.op_type not in _GATES or squash.domain:
            return None
        user = graph_facts.only_user(squash.outputs[0])
        if not graph_facts.is_op(user, "Mul") or user is None:
            return None
        if graph_facts.other_input(user, squash.outputs[0]) is not product.x:
            return None
        over = "tokens" if self.axes.sums_tokens(product) else "channels"
        kind = _GATES[squash.op_type]
        return Block("gate", user, {"kind": kind, "size": product.inputs, "over": over})

    def _mlp(self, second: Product) -> Block | None:
        """A product, something that bends (perhaps times another product), a product."""
        walk = _Walk(self.products)
        walk.up(second.x)
        first = walk.found
        if not first or not walk.bends or walk.foreign:
            return None
        one = first[0]
        if any(p.x is not one.x or p.node in self.taken for p in first):
            return None
        tokens = self.axes.sums_tokens(second)
        if any(self.axes.sums_tokens(p) != tokens for p in first):
            return None
        self.taken.update(p.node for p in first)
        form, key = ("token_mlp", "tokens") if tokens else ("channel_mlp", "channels")
        facts: dict[str, object] = {key: one.inputs, "hidden": second.inputs, "out": second.outputs}
        return Block(form, second.node, facts)

    def _low_rank(self, second: Product) -> Block | None:
        """Two products with nothing between them that bends, and few places there."""
        value = second.x
        while (bias := graph_facts.made_by(value, "Add")) is not None:
            sources = [v for v in bias.inputs if v is not None and not graph_facts.is_constant(v)]
            if len(sources) != 1:
                return None
            value = sources[0]
        node = value.producer()
        first = self.products.get(node) if node is not None else None
        if first is None or first.node in self.taken or first.axis != second.axis:
            return None
        if graph_facts.only_user(first.result) is None:
            return None
        if first.outputs >= min(first.inputs, second.outputs):
            return None
        self.taken.add(first.node)
        facts: dict[str, object] = {"in": first.inputs, "rank": first.outputs, "out": second.outputs}
        return Block("low_rank", second.node, facts)

    def _spatial_gate(self, product: Product) -> Block | None:
        """Find u * (W v + b): half of the channels gates the other half (gMLP)."""
        if not self.axes.sums_tokens(product):
            return None
        value = after_bias(product.result)
        user = graph_facts.only_user(value)
        while user is not None and graph_facts.is_op(user, "Transpose", "Add"):
            value = user.outputs[0]
            user = graph_facts.only_user(value)
        if user is None or not graph_facts.is_op(user, "Mul"):
            return None
        if graph_facts.is_constant(graph_facts.other_input(user, value)):
            return None
        return Block("spatial_gate", user, {"tokens": product.inputs, "out": product.outputs})

    def _linear(self, product: Product) -> Block | None:
        if not self.axes.sums_tokens(product):
            return None
        facts: dict[str, object] = {"tokens": product.inputs, "out": product.outputs}
        return Block("token_linear", product.node, facts)


@dataclass
class _Walk:
    """Goes up from a value through elementwise operators to the products that it is made of."""

    products: Mapping[ir.Node, Product]
    found: list[Product] = field(default_factory=list)
    bends: bool = False
    foreign: bool = False
    _seen: set[ir.Value] = field(default_factory=set)

    def up(self, value: ir.Value) -> None:
        if value in self._seen or graph_facts.is_constant(value):
            return
        self._seen.add(value)
        node = value.producer()
        product = self.products.get(node) if node is not None else None
        if product is not None:
            if product not in self.found:
                self.found.append(product)
            return
        inside = (*graph_facts.ELEMENTWISE, "Split", "Slice")
        if node is None or not graph_facts.is_op(node, *inside):
            self.foreign = True
            return
        self.bends |= node.op_type in _BENDS
        for source in node.inputs:
            if source is not None:
                self.up(source)
