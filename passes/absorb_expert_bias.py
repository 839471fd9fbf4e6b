"""Give expert products the bias that is added right after them."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.row_source import gathered_ids


@graph_pass(
    phase="recognise",
    after=(
        "expand_microsoft_moe",
        "recognise_dense_loops",
        "recognise_gathered",
        "recognise_scatter_loops",
        "recognise_selections",
        "recognise_slots",
        "recognise_stacked_sums",
    ),
    exact="reassociation",
)
def absorb_expert_bias(model: ir.Model, context: PassContext) -> int:
    """Make the sum of an expert product and a bias gathered by the same ids one primitive.

    Given:  h = ExpertLinear(x, ids, *W); y = Add(h, Gather(*b: f32[E,out], ids))
    Result: y = ExpertLinearBias(x, ids, *W, *b)
    """
    del context
    changes = 0
    for node in list(model.graph):
        if graph_facts.is_op(node, "Add"):
            first, second = node.inputs
            changes += _absorb(node, first, second) or _absorb(node, second, first)
    if changes:
        regions.add_bodies(model)
    return changes


def _absorb(node: ir.Node, product: ir.Value | None, bias: ir.Value | None) -> int:
    if product is None or bias is None:
        return 0
    linear = graph_facts.before_reshapes(product).producer()
    gather = graph_facts.before_reshapes(bias).producer()
    if graph_facts.kind_of(linear) not in ("ExpertLinear", "ExpertLinearT") or gather is None:
        return 0
    ids = gathered_ids(gather, rank=2)
    shape = graph_facts.shape_of(node.outputs[0])
    if linear is None or ids is None or shape is None or graph_facts.shape_of(product) != shape:
        return 0
    x, expert_ids, weight = linear.inputs
    table = gather.inputs[0]
    assert x is not None and expert_ids is not None and weight is not None and table is not None
    if not graph_facts.same_elements(ids, expert_ids):
        return 0
    size = graph_facts.size_of(product)
    if graph_facts.size_of(bias) != size or not _lone(linear.outputs[0], node):
        return 0
    emit = Emitter(node)
    emit.origin = graph_facts.origin_of(linear)
    transposed = graph_facts.kind_of(linear) == "ExpertLinearT"
    y = regions.expert_linear(emit, x, expert_ids, weight, table, transposed=transposed)
    return int(replace(node.outputs[0], emit.reshape(y, *shape)))


def _lone(value: ir.Value, reader: ir.Node) -> bool:
    """Tell whether only `reader` sees `value`, through reshapes."""
    user = graph_facts.only_user(value)
    while (
        user is not None and user is not reader and graph_facts.is_op(user, *graph_facts.RESHAPES)
    ):
        user = graph_facts.only_user(user.outputs[0])
    return user is reader
