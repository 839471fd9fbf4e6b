"""The expert regions of a recognised graph, seen alike in every token bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir

from edgemoe import graph_facts, regions

KEY = "edgemoe.key"  # metadata of a region that was pruned: the key that it had before
KEPT = "edgemoe.kept"  # metadata of a region that was pruned: numbers of the experts that stay
FORM = "edgemoe.form"
EXPERTS = "edgemoe.experts"

Key = tuple[str, ...]


@dataclass(frozen=True)
class RegionView:
    """One call of `edgemoe::MoE_n` with T tokens and E experts; K are chosen, 0 where scored.

    `key` are the names of the weights with an axis of experts, which are the same in every token
    bucket; `owned` are the places of these among the inputs of the call.
    """

    key: Key
    node: ir.Node
    function: ir.Function
    routing: Literal["indexed", "scored"]
    form: str
    tokens: int
    experts: int
    chosen: int
    owned: tuple[int, ...]

    @property
    def origin(self) -> str:
        """Return the PyTorch module path, "" when the file has none."""
        return graph_facts.origin_of(self.node)

    @property
    def label(self) -> str:
        """Return what messages call the region."""
        return self.origin or str(self.node.op_type)

    @property
    def ids(self) -> ir.Value | None:
        """Return the ids int64 [T, K], None where the region is scored."""
        return self.node.inputs[1] if self.routing == "indexed" else None

    @property
    def weights(self) -> ir.Value | None:
        """Return the weights [T, K], None where the region is scored."""
        return self.node.inputs[2] if self.routing == "indexed" else None

    @property
    def scores(self) -> ir.Value | None:
        """Return the scores [T, E], None where the region is indexed."""
        return self.node.inputs[1] if self.routing == "scored" else None


def regions_of(model: ir.Model) -> list[RegionView]:
    """Return the regions of a graph after the phase recognise, in the order of the graph."""
    return [_view(model, node) for node in model.graph if graph_facts.kind_of(node) == "MoE"]


def _view(model: ir.Model, node: ir.Node) -> RegionView:
    function = model.functions[node.op_identifier()]
    scored = node.metadata_props.get("edgemoe.routing") == "scored"
    experts = int(node.metadata_props.get(EXPERTS, "0"))
    shape = graph_facts.shape_of(node.inputs[1]) or (0, 0)
    owned = _owned(function, experts, 2 if scored else 3)
    names = tuple(
        str(value.name) for i in owned
        if (value := node.inputs[i]) is not None and graph_facts.is_constant(value)
    )  # fmt: skip
    kept = node.metadata_props.get(KEY)
    return RegionView(
        key=tuple(kept.split("\n")) if kept else names, node=node, function=function,
        routing="scored" if scored else "indexed",
        form=node.metadata_props.get(FORM, "scored" if scored else "indexed"), tokens=shape[0],
        experts=experts, chosen=0 if scored else shape[1], owned=owned,
    )  # fmt: skip


def _owned(function: ir.Function, experts: int, first: int) -> tuple[int, ...]:
    """Return the places of inputs whose first axis numbers the experts, by how they are read."""
    read: set[ir.Value] = set()
    for inner in function:
        kind = graph_facts.kind_of(inner)
        if kind in regions.EXPERT_LINEARS or kind == "BlockDown":
            read.update(v for v in inner.inputs[2:] if v is not None)
        elif kind == "BlockUp":
            read.update(v for v in inner.inputs[1:] if v is not None)
        elif graph_facts.is_op(inner, "Gather") and graph_facts.attribute(inner, "axis", 0) == 0:
            read.update(v for v in inner.inputs[:1] if v is not None)
        elif first == 2:  # between BlockUp and BlockDown: [E, d] for each token [T, E, d]
            read.update(v for v in inner.inputs if v is not None and len(v.shape or ()) == 2)
    return tuple(
        number for number, value in enumerate(function.inputs)
        if number >= first and value in read
        and (graph_facts.shape_of(value) or (0,))[0] == experts
    )  # fmt: skip
