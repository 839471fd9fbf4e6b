"""BlockFFN's products over all experts, as standard operators on the graph that is calibrated.

BlockUp is one product with E d outputs; BlockDown multiplies by the scores and is one product with
E d inputs. A score of exactly 0 makes its rows exactly 0 here too; skipping them is up to kernels.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import emit as emitting
from edgemoe import graph_facts
from edgemoe.emit import Emitter


def expand_blocks(model: ir.Model) -> None:
    """Replace every BlockUp and BlockDown whose weights are constants."""
    for node in list(model.graph):
        kind = graph_facts.kind_of(node)
        if kind == "BlockUp":
            _up(node)
        elif kind == "BlockDown":
            _down(node)


def _up(node: ir.Node) -> None:
    x, weight, bias = (*node.inputs, None)[:3]
    array, shape = graph_facts.array_of(weight), graph_facts.shape_of(node.outputs[0])
    biases = graph_facts.array_of(bias)
    if array is None or shape is None or x is None or (bias is not None and biases is None):
        return
    assert weight is not None
    emit = Emitter(node)
    flat = emit.constant(array.reshape(-1, array.shape[2]), f"{weight.name}.flat")
    inputs = [x, flat]
    if biases is not None:
        inputs.append(emit.constant(biases.reshape(-1), f"{weight.name}.bias"))
    _replace(node, emit.reshape(emit.op("Gemm", *inputs, transB=1), *shape))


def _down(node: ir.Node) -> None:
    h, scores, weight, bias = (*node.inputs, None)[:4]
    array, shape = graph_facts.array_of(weight), graph_facts.shape_of(h)
    biases = graph_facts.array_of(bias)
    if array is None or shape is None or h is None or scores is None:
        return
    if bias is not None and biases is None:
        return
    assert weight is not None
    emit = Emitter(node)
    scored = emit.op("Mul", h, emit.op("Unsqueeze", scores, emit.ints(2)))
    rows = emit.reshape(scored, shape[0], shape[1] * shape[2])
    flat = np.ascontiguousarray(array.transpose(1, 0, 2).reshape(array.shape[1], -1))
    y = emit.op("Gemm", rows, emit.constant(flat, f"{weight.name}.flat"), transB=1)
    if biases is not None:
        weighted = emit.op("MatMul", scores, emit.constant(biases, f"{weight.name}.bias"))
        y = emit.op("Add", y, weighted)
    _replace(node, y)


def _replace(node: ir.Node, new: ir.Value) -> None:
    if emitting.replace(node.outputs[0], new):
        emitting.discard([node])
