"""Write the short-time Fourier transform as frames times a constant matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("fold_constants",), exact="reassociation")
def expand_stft(model: ir.Model, context: PassContext) -> int:
    """Gather the frames, multiply them by the window, and transform each.

    Given:  y = STFT(x: f32[B,L,1], step, window: f32[n])
    Result: y = DFT(Unsqueeze(Mul(Gather(x, *frames), window), -1), axis=2) {onesided=1}
    """
    del context
    return rewrite_each(model, ("STFT",), _expand)


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    x, step, *rest = [*node.inputs, None, None][:4]
    window, length = rest
    shape, hop = graph_facts.shape_of(x), graph_facts.ints_of(step)
    if x is None or shape is None or hop is None or len(shape) != 3:
        return None
    sizes = graph_facts.ints_of(length) or graph_facts.shape_of(window)
    if not sizes or hop[0] < 1 or (window is not None and graph_facts.size_of(window) != sizes[0]):
        return None
    count = (shape[1] - sizes[0]) // hop[0] + 1
    places = np.arange(count)[:, None] * hop[0] + np.arange(sizes[0])
    frames = emit.op("Gather", x, emit.constant(places.astype(np.int64), "frames"), axis=1)
    if window is not None:
        frames = emit.op("Mul", frames, emit.reshape(window, sizes[0], 1))
    attributes = {"onesided": graph_facts.attribute(node, "onesided", 1)}
    axis = emit.constant(np.array(2, np.int64), "axis")
    return [emit.node("DFT", [frames, None, axis], attributes).outputs[0]]
