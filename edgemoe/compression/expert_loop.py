"""Expert products for onnxruntime that multiply each row with its expert only.

The primitive's body gathers a weight for every row, or multiplies with all experts: right, and slow
for many tokens. Here rows are picked expert by expert, and put back together with one scatter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.regions import EXPERT_LINEARS

FEWEST_ROWS = 16
"""Below so many rows the body of the primitive is as good."""


@dataclass
class ExpertLoops:
    """Rewrites the expert products of a model whose token counts are static."""

    model: ir.Model
    picked: dict[ir.Value, list[ir.Value]] = field(default_factory=dict)

    def expand(self) -> None:
        """Replace every expert product with enough rows."""
        for node in list(self.model.graph):
            if graph_facts.kind_of(node) in EXPERT_LINEARS:
                ids = graph_facts.shape_of(node.inputs[1])
                if ids is not None and ids[0] >= FEWEST_ROWS:
                    self._expand(node)

    def _expand(self, node: ir.Node) -> None:
        x, ids, weight = node.inputs[:3]
        assert x is not None and ids is not None and weight is not None
        kind = graph_facts.kind_of(node)
        emit = Emitter(node)
        shape, output = graph_facts.shape_of(weight), graph_facts.shape_of(node.outputs[0])
        assert shape is not None and output is not None
        places = self._places(emit, ids, shape[0])
        bias = node.inputs[3] if kind.endswith("Bias") else None
        parts = []
        for expert, place in enumerate(places):
            number = emit.constant(np.array(expert, np.int64))
            own = [emit.op("Gather", weight, number, axis=0)]
            if bias is not None:
                own.append(emit.op("Gather", bias, number, axis=0))
            rows = emit.op("Gather", x, place, axis=0)
            parts.append(
                emit.op("Gemm", rows, *own, transB=int(not kind.startswith("ExpertLinearT")))
            )
        where = emit.op("Unsqueeze", emit.op("Concat", *places, axis=0), emit.ints(1))
        dtype = x.dtype.numpy() if x.dtype is not None else np.float32
        nothing = emit.constant(np.zeros(output, dtype))
        y = emit.op("ScatterND", nothing, where, emit.op("Concat", *parts, axis=0))
        y.shape, y.type = node.outputs[0].shape, node.outputs[0].type
        node.outputs[0].replace_all_uses_with(y, replace_graph_outputs=True)
        self.model.graph.remove(node, safe=True)

    def _places(self, emit: Emitter, ids: ir.Value, experts: int) -> list[ir.Value]:
        """The rows of every expert, int64 [n]; made once where they are first asked for."""
        if ids not in self.picked:
            self.picked[ids] = []
            for expert in range(experts):
                is_own = emit.op("Equal", ids, emit.constant(np.array(expert, np.int64)))
                self.picked[ids].append(
                    emit.op("Squeeze", emit.op("NonZero", is_own), emit.ints(0))
                )
        return self.picked[ids]
