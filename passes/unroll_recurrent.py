"""Unroll LSTM, GRU and RNN over their fixed number of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each

LIMIT_STEPS = 512
_ACTIVATIONS = {name.lower(): name for name in ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus")}
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def unroll_recurrent(model: ir.Model, context: PassContext) -> int:
    """Multiply all steps with the input weights at once, then repeat the cell per step.

    Given:  y, h = RNN(x: f32[2,B,I], W, R)
    Result: p = MatMul(x, Wt); h1 = Tanh(p[0]); h = Tanh(p[1] + MatMul(h1, Rt)); y = [h1, h]
    """
    del context
    return rewrite_each(model, _GATES, _unroll)


def _unroll(emit: Emitter, node: ir.Node) -> Sequence[ir.Value | None] | None:
    names = _activations(node)
    shape = graph_facts.shape_of(node.inputs[0])
    if names is None or shape is None or shape[0] > LIMIT_STEPS or 0 in shape:
        return None
    if graph_facts.attribute(node, "layout", 0) or graph_facts.attribute(node, "input_forget", 0):
        return None
    way = graph_facts.text_attribute(node, "direction", "forward")
    per = len(names) // (2 if way == "bidirectional" else 1)
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[way]
    lines = [
        _Direction(emit, node, number, back, names[number * per : (number + 1) * per]).run()
        for number, back in enumerate(ways)
    ]
    one = emit.ints(1)
    steps = [emit.op("Unsqueeze", emit.op("Concat", *line.outputs, axis=0), one) for line in lines]
    hidden = [emit.op("Unsqueeze", line.hidden, emit.ints(0)) for line in lines]
    cells = [emit.op("Unsqueeze", line.cell, emit.ints(0)) for line in lines]
    results = [_joined(emit, steps, 1), _joined(emit, hidden, 0), _joined(emit, cells, 0)]
    return results[: len(node.outputs)]


def _joined(emit: Emitter, values: list[ir.Value], axis: int) -> ir.Value:
    return values[0] if len(values) == 1 else emit.op("Concat", *values, axis=axis)


def _activations(node: ir.Node) -> list[str] | None:
    """The activations of all directions; None where one has parameters of its own."""
    given = node.attributes.get("activations")
    if given is None:
        both = graph_facts.text_attribute(node, "direction", "forward") == "bidirectional"
        return _DEFAULTS[node.op_type] * (2 if both else 1)
    names = [_ACTIVATIONS.get(str(name).lower(), "") for name in given.as_strings()]
    return names if all(names) else None


@dataclass
class _Line:
    outputs: list[ir.Value]  # [1, B, H] per step, in the order of the input
    hidden: ir.Value  # [B, H]
    cell: ir.Value


class _Direction:
    """One direction of a recurrent node: its weights, and the cell that goes along the steps."""

    def __init__(
        self, emit: Emitter, node: ir.Node, number: int, back: bool, activations: list[str]
    ) -> None:
        self.emit, self.node, self.back, self.activations = emit, node, back, activations
        self.number = number
        x = node.inputs[0]
        assert x is not None
        self.steps, self.batch, _ = graph_facts.shape_of(x) or (0, 0, 0)
        self.gates = _GATES[node.op_type]
        self.recurrent = emit.op("Transpose", self._part(2), perm=[1, 0])
        self.hidden_size = (graph_facts.shape_of(self.recurrent) or (0,))[0]
        bias = self._part(3) if self._has(3) else None
        self.input_bias, self.state_bias = self._halves(bias)
        projected = emit.op("MatMul", x, emit.op("Transpose", self._part(1), perm=[1, 0]))
        if self.input_bias is not None:
            projected = emit.op("Add", projected, self.input_bias)
        self.projected = projected

    def run(self) -> _Line:
        """Emit all steps."""
        peephole = 7 if self.node.op_type == "LSTM" else None
        self.peepholes = self._peepholes(peephole)
        state, cell = self._initial(5), self._initial(6 if self.node.op_type == "LSTM" else 5)
        outputs: list[ir.Value] = []
        order = range(self.steps)
        for step in reversed(order) if self.back else order:
            index = self.emit.constant(np.array(step, np.int64), "step")
            x = self.emit.op("Gather", self.projected, index, axis=0)
            new, new_cell = self._cell(x, state, cell)
            new, state, cell = self._masked(step, new, state, new_cell, cell)
            outputs.append(self.emit.op("Unsqueeze", new, self.emit.ints(0)))
        return _Line(outputs[::-1] if self.back else outputs, state, cell)

    def _has(self, index: int) -> bool:
        return len(self.node.inputs) > index and self.node.inputs[index] is not None

    def _part(self, index: int) -> ir.Value:
        """This direction of an input that has one part per direction."""
        value = self.node.inputs[index]
        number = self.emit.constant(np.array(self.number, np.int64), "direction")
        return self.emit.op("Gather", value, number, axis=0)

    def _halves(self, bias: ir.Value | None) -> tuple[ir.Value | None, ir.Value | None]:
        if bias is None:
            return None, None
        each = self.gates * self.hidden_size
        halves = self.emit.node("Split", [bias, self.emit.ints(each, each)], {"axis": 0}, outputs=2)
        return halves.outputs[0], halves.outputs[1]

    def _peepholes(self, index: int | None) -> tuple[ir.Value, ...] | None:
        if index is None or not self._has(index):
            return None
        return self._split(self._part(index), 3, axis=0)

    def _initial(self, index: int) -> ir.Value:
        if self._has(index):
            return self._part(index)
        x = self.node.inputs[0]
        assert x is not None and x.dtype is not None
        return self.emit.constant(np.zeros((self.batch, self.hidden_size), x.dtype.numpy()), "zero")

    def _split(self, value: ir.Value, parts: int, axis: int = -1) -> tuple[ir.Value, ...]:
        sizes = self.emit.ints(*[self.hidden_size] * parts)
        return tuple(self.emit.node("Split", [value, sizes], {"axis": axis}, outputs=parts).outputs)

    def _activate(self, which: int, value: ir.Value) -> ir.Value:
        clip = graph_facts.float_attribute(self.node, "clip", 0.0)
        if clip > 0:
            assert value.dtype is not None
            low, high = (np.array(v, value.dtype.numpy()) for v in (-clip, clip))
            value = self.emit.op("Clip", value, self.emit.constant(low), self.emit.constant(high))
        return self.emit.op(self.activations[which], value)

    def _masked(
        self, step: int, new: ir.Value, state: ir.Value, new_cell: ir.Value, cell: ir.Value
    ) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Keep the state of sequences that are shorter; what they give there is zero."""
        lengths = self.node.inputs[4] if self._has(4) else None
        known = graph_facts.ints_of(lengths)
        if lengths is None or (known is not None and min(known) >= self.steps):
            return new, new, new_cell
        assert lengths.dtype is not None and new.dtype is not None
        number = self.emit.constant(np.array(step, lengths.dtype.numpy()), "step")
        alive = self.emit.op("Unsqueeze", self.emit.op("Less", number, lengths), self.emit.ints(1))
        zero = self.emit.constant(np.array(0, new.dtype.numpy()), "zero")
        return (
            self.emit.op("Where", alive, new, zero),
            self.emit.op("Where", alive, new, state),
            self.emit.op("Where", alive, new_cell, cell),
        )

    def _cell(self, x: ir.Value, state: ir.Value, cell: ir.Value) -> tuple[ir.Value, ir.Value]:
        if self.node.op_type == "GRU":
            new = self._gru(x, state)
            return new, new
        product = self.emit.op("MatMul", state, self.recurrent)
        if self.state_bias is not None:
            product = self.emit.op("Add", product, self.state_bias)
        total = self.emit.op("Add", x, product)
        if self.node.op_type == "RNN":
            new = self._activate(0, total)
            return new, new
        return self._lstm(total, cell)

    def _lstm(self, total: ir.Value, cell: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Gates in the order of ONNX: input, output, forget, cell; peepholes: i, o, f."""
        opened, shown, kept, fresh = self._split(total, 4)
        holes = self.peepholes or (None, None, None)
        opened = self._activate(0, self._peeped(opened, holes[0], cell))
        kept = self._activate(0, self._peeped(kept, holes[2], cell))
        added = self.emit.op("Mul", opened, self._activate(1, fresh))
        cell = self.emit.op("Add", self.emit.op("Mul", kept, cell), added)
        shown = self._activate(0, self._peeped(shown, holes[1], cell))
        return self.emit.op("Mul", shown, self.emit.op(self.activations[2], cell)), cell

    def _peeped(self, gate: ir.Value, hole: ir.Value | None, cell: ir.Value) -> ir.Value:
        return gate if hole is None else self.emit.op("Add", gate, self.emit.op("Mul", hole, cell))

    def _gru(self, x: ir.Value, state: ir.Value) -> ir.Value:
        """Gates in the order of ONNX: update z, reset r, hidden h."""
        update_x, reset_x, hidden_x = self._split(x, 3)
        weights = self._split(self.recurrent, 3)
        biases = self._split(self.state_bias, 3, axis=0) if self.state_bias is not None else None

        def add(first: ir.Value, second: ir.Value) -> ir.Value:
            return self.emit.op("Add", first, second)

        def product(gate: int, value: ir.Value) -> ir.Value:
            result = self.emit.op("MatMul", value, weights[gate])
            return result if biases is None else add(result, biases[gate])

        update = self._activate(0, add(update_x, product(0, state)))
        reset = self._activate(0, add(reset_x, product(1, state)))
        if graph_facts.attribute(self.node, "linear_before_reset", 0):
            hidden = self.emit.op("Mul", reset, product(2, state))
        else:
            hidden = product(2, self.emit.op("Mul", reset, state))
        hidden = self._activate(1, add(hidden_x, hidden))
        # (1 - z) h' + z h = h' + z (h - h')
        change = self.emit.op("Mul", update, self.emit.op("Sub", state, hidden))
        return add(hidden, change)
