"""Note early exits: outputs of one kind at several depths of one network (BranchyNet)."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.graph_pass import Note, PassContext, graph_pass

_PRODUCTS = ("MatMul", "Gemm", "Conv")


@graph_pass(phase="recognise", after=("group_regions",))
def recognise_exits(model: ir.Model, context: PassContext) -> int:
    """Say which outputs are exits of different depth; nothing changes.

    Given:  h = f(x); early = Gemm(h, *A); late = Gemm(g(h), *B)
    Result: the same graph, and a note on (early, late)
    """
    groups: dict[tuple[object, ...], list[ir.Value]] = {}
    for output in model.graph.outputs:
        groups.setdefault((output.dtype, graph_facts.shape_of(output)), []).append(output)
    for outputs in groups.values():
        order = _by_depth(outputs) if len(outputs) > 1 else None
        if order is None:
            continue
        names = [str(output.name) for output, _ in order]
        facts: dict[str, object] = {
            "form": "early_exit", "outputs": names, "products": [depth for _, depth in order]
        }  # fmt: skip
        node = order[0][0].producer()
        text = f"early exits {', '.join(names)}: each continues what the one before has computed"
        context.notes.append(
            Note("matched", "exit", text, node.name or "" if node else "",
                 graph_facts.origin_of(node), facts)
        )  # fmt: skip
    return 0


def _by_depth(outputs: list[ir.Value]) -> list[tuple[ir.Value, int]] | None:
    """Return the outputs with the products behind each, shallow first; None if they are no exits.

    An exit has a head of its own, and the next exit computes on from where this head begins.
    """
    behind = {output: _products(output) for output in outputs}
    order = sorted(outputs, key=lambda output: len(behind[output]))
    for early, late in zip(order, order[1:], strict=False):
        head, trunk = behind[early] - behind[late], behind[early] & behind[late]
        if not head or not trunk or len(behind[late] - behind[early]) < len(head) + 1:
            return None
    return [(output, len(behind[output])) for output in order]


def _products(output: ir.Value) -> set[ir.Node]:
    return {
        node for node in graph_facts.ancestors([output])
        if graph_facts.kind_of(node) in ("MoE", "Combine")
        or (graph_facts.is_op(node, *_PRODUCTS) and any(map(graph_facts.is_constant, node.inputs)))
    }  # fmt: skip
