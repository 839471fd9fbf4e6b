"""Write the reversal of sequences of different lengths as a look-up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("lift_constants",))
def expand_reverse_sequence(model: ir.Model, context: PassContext) -> int:
    """Gather element len - 1 - t where t is inside the sequence, and element t elsewhere.

    Given:  y = ReverseSequence(x: f32[T,B,H], len: int64[B])
    Result: i = Where(Less(*t, len), len - 1 - *t, *t); y = GatherElements(x, Expand(i)) {axis=0}
    """
    del context
    return rewrite_each(model, ("ReverseSequence",), _expand)


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x, lengths = node.inputs
    shape = graph_facts.shape_of(x)
    if x is None or lengths is None or shape is None:
        return None
    time = graph_facts.attribute(node, "time_axis", 0)
    batch = graph_facts.attribute(node, "batch_axis", 1)
    row = [1] * len(shape)
    row[time] = shape[time]
    steps = emit.constant(np.arange(shape[time], dtype=np.int64).reshape(row), "steps")
    row[time], row[batch] = 1, shape[batch]
    ends = emit.reshape(lengths, *row)
    last = emit.op("Sub", ends, emit.constant(np.array(1, np.int64), "one"))
    places = emit.op("Where", emit.op("Less", steps, ends), emit.op("Sub", last, steps), steps)
    return [emit.op("GatherElements", x, emit.op("Expand", places, emit.ints(*shape)), axis=time)]
