"""Fuse rotary embeddings: slices, negation, concatenation, products and sum become one region."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts, rotary_form
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.outline import free_name, outline


@graph_pass(phase="fuse", after=("fuse_attention",), exact="reassociation")
def fuse_rotary(model: ir.Model, context: PassContext) -> int:
    """Outline x * cos + turned(x) * sin, x read through strides, as `Rotary_N`.

    Given:  y = Add(Mul(x, cos), Mul(Concat(Neg(Slice(x, 8, 16)), Slice(x, 0, 8)), sin))
    Result: y = Rotary_0(x, cos, sin)
    """
    del context
    changes = 0
    inside: set[ir.Node] = set()
    for node in reversed(list(model.graph)):  # a concatenation before the sum inside it
        if node in inside or not graph_facts.is_op(node, "Add", "Concat"):
            continue
        found = rotary_form.match(node)
        if found is None:
            continue
        unique = list(dict.fromkeys([found.x.base, found.cos, found.sin]))
        inside |= graph_facts.ancestors([node.outputs[0]], frozenset(unique))
        name = free_name(model, "Rotary")
        outline(model, name, "Rotary", unique, [], [node.outputs[0]], {}, inline=4)
        changes += 1
    return changes
