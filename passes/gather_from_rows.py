"""Gather from the first axis where the axes before are of one element."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("gather_to_reshape",))
def gather_from_rows(model: ir.Model, context: PassContext) -> int:
    """Pick rows of a matrix, as x[None, rows] and x[rows] both do.

    Given:  y = Gather(x: f32[1,6,4], r: int64[n], axis=1)
    Result: y = Unsqueeze(Gather(Reshape(x, [6, 4]), r), [0])
    """
    del context
    return rewrite_each(model, ("Gather",), _from_rows)


def _from_rows(emit: Emitter, node: ir.Node) -> Sequence[ir.Value | None] | None:
    x, index = node.inputs
    shape = graph_facts.shape_of(x)
    if x is None or shape is None or index is None or index.shape is None:
        return None
    axis = graph_facts.axis_of(node, 0, len(shape))
    run_time = graph_facts.shape_of(index) is None  # a count that NonZero gave
    if not axis or any(extent != 1 for extent in shape[:axis]) or not run_time:
        return None
    rows = emit.op("Gather", emit.reshape(x, *shape[axis:]), index, axis=0)
    return [emit.op("Unsqueeze", rows, emit.ints(*range(axis)))]
