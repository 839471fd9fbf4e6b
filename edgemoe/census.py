"""Count the weights of a recognised graph by what they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.macs import macs_of
from edgemoe.products import constant_factor, nearest_products
from edgemoe.regions import EXPERT_LINEARS
from edgemoe.shared_experts import shared_experts

ROLES = ("expert", "router", "shared expert", "attention", "embedding", "mixer", "rest")
EXPERT_PRODUCTS = (*EXPERT_LINEARS, "BlockUp", "BlockDown", "RowDots", "RowSum")


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


@dataclass
class Roles:
    """What constants, and the products of activations, are for; what is absent is "rest"."""

    values: dict[ir.Value, str] = field(default_factory=dict)
    nodes: dict[ir.Node, str] = field(default_factory=dict)

    def mark(self, values: Iterable[ir.Value | None], role: str) -> None:
        """Give constants a role unless they have one."""
        for value in values:
            if value is not None and graph_facts.is_constant(value):
                self.values.setdefault(value, role)

    def of(self, node: ir.Node) -> str:
        """Return the role that the multiply-accumulates of a node belong to."""
        if graph_facts.kind_of(node) in ("MoE", *EXPERT_PRODUCTS):
            return "expert"
        weight = constant_factor(node)
        return self.nodes.get(node, "rest") if weight is None else self.values.get(weight, "rest")


def roles_of(model: ir.Model, given: Mapping[ir.Value, str] | None = None) -> Roles:
    """Find out what the constants of a recognised graph are for.

    Args:
        model: the graph after the phase recognise.
        given: roles that are known: experts that no pass matched, weights of mixers.
    """
    roles = Roles(dict(given or {}))
    regions = [node for node in model.graph if graph_facts.kind_of(node) == "MoE"]
    for node in regions:
        roles.mark(expert_weights(node), "expert")
        _mark_router(node, roles)
    for node in model.graph:
        if graph_facts.kind_of(node) in EXPERT_PRODUCTS:
            roles.mark(expert_weights(node), "expert")
    for node in regions:
        found = shared_experts(node)
        roles.mark(found.weights if found is not None else (), "shared expert")
    _mark_attention(model.graph, roles)
    for node in model.graph:
        if graph_facts.is_op(node, "Gather") and graph_facts.is_constant(node.inputs[0]):
            table, ids = node.inputs[:2]
            if len(graph_facts.shape_of(table) or ()) == 2 and not graph_facts.is_constant(ids):
                roles.mark([table], "embedding")
    return roles


def census(model: ir.Model, roles: Roles | None = None) -> list[Role]:
    """Return one entry per role that occurs, in the order of `ROLES`."""
    roles = roles or roles_of(model)
    counts = {role: [0, 0, 0] for role in ROLES}
    for value in model.graph.initializers.values():
        if is_weight(value):
            entry = counts[roles.values.get(value, "rest")]
            entry[0] += 1
            entry[1] += nbytes_of(value)
    for node in model.graph:
        counts[roles.of(node)][2] += macs_of(model, node)
    return [Role(role, *counts[role]) for role in ROLES if any(counts[role])]


def is_weight(value: ir.Value) -> bool:
    """Tell whether a constant holds floating-point numbers."""
    tensor = value.const_value
    return tensor is not None and tensor.dtype.is_floating_point()


def nbytes_of(value: ir.Value) -> int:
    """Return the bytes of a constant as the file has it."""
    return 0 if value.const_value is None else value.const_value.nbytes


def expert_weights(node: ir.Node) -> list[ir.Value]:
    """Return the constants of a region, or of a single expert product, that belong to experts."""
    if graph_facts.kind_of(node) == "MoE":
        first = 3 if node.metadata_props.get("edgemoe.routing") == "indexed" else 2
    else:
        first = {"BlockUp": 1}.get(graph_facts.kind_of(node), 2)
    return [v for v in node.inputs[first:] if v is not None and graph_facts.is_constant(v)]


def _mark_router(region: ir.Node, roles: Roles) -> None:
    routing = region.inputs[1]
    route = graph_facts.called_by(routing, "Route")
    starts = [route.inputs[0]] if route is not None else list(region.inputs[1:3])
    if region.metadata_props.get("edgemoe.routing") == "scored" and route is None:
        starts = [routing]
    roles.mark(route.inputs[1:] if route is not None else (), "router")
    for start in starts:
        for product in nearest_products(start):
            roles.mark(product.inputs, "router")


def _mark_attention(graph: ir.Graph, roles: Roles) -> None:
    """Softmax of a product of two activations, multiplied with a third."""
    for node in graph:
        if not graph_facts.is_op(node, "MatMul") or constant_factor(node) is not None:
            continue
        probabilities = _leads_back(node.inputs[0], "Softmax")
        scores = _leads_back(probabilities.inputs[0], "MatMul") if probabilities else None
        if scores is None or constant_factor(scores) is not None:
            continue
        roles.nodes[node] = roles.nodes[scores] = "attention"
        for value in (*scores.inputs, node.inputs[1]):
            for product in nearest_products(value):
                roles.mark([constant_factor(product)], "attention")
        out: ir.Value | None = node.outputs[0]
        while out is not None and (user := graph_facts.only_user(out)) is not None:
            if constant_factor(user) is not None:
                roles.mark([constant_factor(user)], "attention")
                break
            out = user.outputs[0] if graph_facts.is_op(user, *graph_facts.MOVEMENTS) else None


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
