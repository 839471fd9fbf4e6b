"""Compute both branches of an If whose condition is known at run time only, and select."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.passes.unroll_control_flow import inline_graph
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("unroll_control_flow",))
def branches_to_where(model: ir.Model, context: PassContext) -> int:
    """Inline both branches; branches that hold experts become rows that are skipped later.

    Given:  y = If(c) {then: { return f(x) }, else: { return g(x) }}
    Result: y = Where(c, f(x), g(x))
    """
    del context
    return rewrite_each(model, ("If",), _both)


def _both(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    branches = [node.attributes[name].as_graph() for name in ("then_branch", "else_branch")]
    condition = node.inputs[0]
    shapes = [[graph_facts.shape_of(o) for o in branch.outputs] for branch in branches]
    if condition is None or graph_facts.is_constant(condition) or shapes[0] != shapes[1]:
        return None
    if any(shape is None for shape in shapes[0]):
        return None
    then, other = (inline_graph(emit, branch, []) for branch in branches)
    return [emit.op("Where", condition, a, b) for a, b in zip(then, other, strict=True)]
