"""BlockFFN's products over all experts, as other products on the graph that is calibrated.

Where a score can be exactly zero, every pair of a token and an expert is a slot: the slot's expert
is -1 if its score is zero, BlockUp and BlockDown become expert products over slots, and the scores
are the weights of their sum. Only experts that some token chose are computed.

All else is standard operators: BlockUp is one product with E d outputs; BlockDown multiplies by the
scores and is one product with E d inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import emit as emitting
from edgemoe import graph_facts, regions
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter
from edgemoe.zero_scores import can_be_zero

NOBODY = -1
"""The expert of a slot whose score is zero."""


def expand_blocks(model: ir.Model) -> list[str]:
    """Replace every BlockUp and BlockDown whose weights are constants.

    Returns:
        Why layers are computed for all experts, in sentences.
    """
    notes = []
    for node in list(model.graph):
        if graph_facts.kind_of(node) == "BlockDown":
            why = _index(node)
            if why:
                name = graph_facts.origin_of(node) or graph_facts.name_of(node)
                notes.append(f"{name}: every expert is computed for every token: {why}")
    for node in list(model.graph):
        kind = graph_facts.kind_of(node)
        if kind == "BlockUp":
            _up(node)
        elif kind == "BlockDown":
            _down(node)
    remove_dead_nodes(model.graph)
    regions.add_bodies(model)
    return notes


def scores_of(value: ir.Value | None) -> ir.Value | None:
    """The scores that ids were made from here, if they were; movements are looked through."""
    while (node := graph_facts.made_by(value, *graph_facts.RESHAPES)) is not None:
        value = node.inputs[0]
    node = graph_facts.made_by(value, "Where")
    if node is None:
        return None
    none, numbers = (graph_facts.array_of(v) for v in node.inputs[1:])
    compared = graph_facts.made_by(node.inputs[0], "Equal")
    if none is None or numbers is None or compared is None:
        return None
    zero, count = graph_facts.scalar_of(compared.inputs[1]), numbers.shape[-1:]
    if zero != 0 or not np.all(none == NOBODY) or not count:
        return None
    counts = np.array_equal(numbers.reshape(-1), np.arange(count[0]))
    return compared.inputs[0] if counts else None


class _NotRowWiseError(Exception):
    """What lies between the products is not computed row by row."""


@dataclass
class _Hidden:
    """The hidden layer again, with a row per slot: [T E, d] in front of `emit`'s anchor."""

    emit: Emitter
    ids: ir.Value  # [T, E]
    slots: ir.Value  # [T E]
    shape: tuple[int, ...]  # (T, E, d)
    made: dict[ir.Value, ir.Value] = field(default_factory=dict)

    def lift(self, value: ir.Value | None) -> ir.Value:
        if value is None or graph_facts.shape_of(value) != self.shape:
            raise _NotRowWiseError("its hidden layer has no row for every token and expert")
        if value not in self.made:
            self.made[value] = self._lift(value)
        return self.made[value]

    def _lift(self, value: ir.Value) -> ir.Value:
        node = value.producer()
        if node is not None and graph_facts.kind_of(node) == "BlockUp":
            x, weight, bias = (*node.inputs, None)[:3]
            if not _are_constant(weight, bias) or x is None or weight is None:
                raise _NotRowWiseError("its weights are no constants")
            rows = regions.dispatch(self.emit, x, self.ids)
            return regions.expert_linear(self.emit, rows, self.slots, weight, bias)
        if node is None or not graph_facts.is_op(node, *graph_facts.ELEMENTWISE):
            what = "an input" if node is None else graph_facts.name_of(node)
            raise _NotRowWiseError(f"{what} is not computed element by element")
        operands = [
            v if v is None else self._constant(v) if graph_facts.is_constant(v) else self.lift(v)
            for v in node.inputs
        ]
        attributes = {name: a.value for name, a in node.attributes.items()}
        return self.emit.node(node.op_type, operands, attributes).outputs[0]

    def _constant(self, value: ir.Value) -> ir.Value:
        shape, array = graph_facts.shape_of(value), graph_facts.array_of(value)
        if shape is None or array is None or any(extent != 1 for extent in shape[:-1]):
            raise _NotRowWiseError(f"{value.name} is a constant with a row per expert")
        return value if len(shape) < 3 else self.emit.constant(array.reshape(-1), str(value.name))


def _index(node: ir.Node) -> str:
    """Make a layer one of experts over slots; gives why not."""
    h, scores, weight, bias = (*node.inputs, None)[:4]
    shape = graph_facts.shape_of(h)
    if scores is None or weight is None or shape is None or not _are_constant(weight, bias):
        return "its weights are no constants"
    if can_be_zero(scores) is None:
        return "its scores are never exactly zero"
    emit = Emitter(node)
    tokens, experts, _ = shape
    zero = emit.constant(np.array(0, scores.dtype.numpy() if scores.dtype else np.float32))
    ids = emit.op(
        "Where", emit.op("Equal", scores, zero), emit.constant(np.array(NOBODY, np.int64)),
        emit.constant(np.arange(experts, dtype=np.int64).reshape(1, experts)),
    )  # fmt: skip
    slots = emit.op("Reshape", ids, emit.ints(tokens * experts))
    try:
        hidden = _Hidden(emit, ids, slots, shape).lift(h)
    except _NotRowWiseError as error:
        return str(error)
    rows = regions.expert_linear(emit, hidden, slots, weight, bias)
    _replace(node, regions.combine(emit, rows, scores))
    return ""


def _are_constant(*values: ir.Value | None) -> bool:
    return all(v is None or graph_facts.array_of(v) is not None for v in values)


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
