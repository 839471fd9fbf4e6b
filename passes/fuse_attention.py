"""Fuse softmax attention with the transposes, head repeats and masks around it."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import attention_form, graph_facts
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.outline import free_name, outline


@graph_pass(phase="fuse", exact="reassociation")
def fuse_attention(model: ir.Model, context: PassContext) -> int:
    """Outline softmax(scale * q k^T + mask) v, read through strides, as `Attention_N`.

    Given:  s = MatMul(Transpose(q), kT); p = Softmax(Where(m, s, -inf)); y = MatMul(p, v)
    Result: y = Attention_0(q, k, v, m)
    """
    changes = 0
    for node in list(model.graph):
        if node.graph is None or not graph_facts.is_op(node, "MatMul"):
            continue
        found = attention_form.match(node)
        if isinstance(found, str):
            if graph_facts.made_by(node.inputs[0], "Softmax") is not None:
                context.notes.append(
                    Note("missed", "attention", f"attention stays ordinary operators: {found}",
                         str(node.name), graph_facts.origin_of(node))
                )  # fmt: skip
            continue
        inputs = [found.q.base, found.k.base, found.v.base]
        if found.mask is not None:
            inputs.append(found.mask.base)
        unique = list(dict.fromkeys(inputs))
        end = node.outputs[0]
        after = graph_facts.only_user(end)
        if after is not None and graph_facts.is_op(after, "Transpose"):
            end = after.outputs[0]
        name = free_name(model, "Attention")
        outline(model, name, "Attention", unique, [], [end], {})
        changes += 1
    return changes
