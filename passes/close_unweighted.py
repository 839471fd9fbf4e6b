"""End experts that nothing weighs: each row is the whole result of one expert."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.passes.recognise_combine import goes_on


@graph_pass(phase="recognise", after=("group_regions",), exact="reassociation")
def close_unweighted(model: ir.Model, context: PassContext) -> int:
    """Put a `Combine` of one choice behind the last expert product where none follows.

    Given:  h = ExpertLinear(x, ids, *W1); y = ExpertLinear(Relu(h), ids, *W2)
    Result: y = Combine(ExpertLinear(Relu(h), ids, *W2), 1)
    """
    del context
    changes = 0
    for node in list(model.graph):
        output = node.outputs[0]
        if graph_facts.kind_of(node) not in regions.EXPERT_LINEARS or goes_on(output):
            continue
        rows, _ = graph_facts.shape_of(output) or (0, 0)
        emit = Emitter(node)
        ones = np.ones((rows, 1), (output.dtype or ir.DataType.FLOAT).numpy())
        total = regions.combine(emit, output, emit.constant(ones, "ones"))
        combine = total.producer()
        if output.is_graph_output():
            total.name, output.name = output.name, f"{output.name}.rows"
        output.replace_all_uses_with(total, replace_graph_outputs=True)
        assert combine is not None
        combine.replace_input_with(0, output)
        model.graph.sort()  # it was made in front of what it reads
        changes += 1
    if changes:
        regions.add_bodies(model)
    return changes
