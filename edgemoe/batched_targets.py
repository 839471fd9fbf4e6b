"""The two forms that a batched body is rewritten to: rows of chosen experts, or scored blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.batched_body import NotBatched, Weight
from edgemoe.block_body import derived
from edgemoe.emit import Emitter
from edgemoe.row_source import with_shape


@dataclass
class ChosenRows:
    """Emits [S, w]: a row for each choice of each token."""

    emit: Emitter
    ids: ir.Value  # [T, K] int64
    tokens_count: int
    _flat: ir.Value | None = None

    def flat_ids(self) -> ir.Value:
        """Return the ids as [S]."""
        if self._flat is None:
            self._flat = self.emit.reshape(self.ids, graph_facts.size_of(self.ids) or 0)
        return self._flat

    def tokens(self, x: ir.Value) -> ir.Value:
        """Dispatch x to the choices."""
        width = (graph_facts.size_of(x) or 0) // self.tokens_count
        shape = (self.tokens_count, width)
        return regions.dispatch(
            self.emit, self.emit.reshape(with_shape(x, shape), *shape), self.ids
        )

    def linear(self, node: ir.Node, rows: ir.Value, weight: Weight) -> ir.Value:
        """Emit `ExpertLinear` on the weights as they lie in the file."""
        emit = _at(self.emit, node)
        ids, transposed = self.flat_ids(), weight.transposed
        return regions.expert_linear(emit, rows, ids, weight.value, transposed=transposed)

    def constant(self, value: ir.Value, per_expert: tuple[int, ...] | None) -> ir.Value:
        """Gather a constant per expert by the ids; a shared one stays."""
        if per_expert is None:
            return _row_constant(self.emit, value)
        experts = (graph_facts.size_of(value) or 0) // int(np.prod(per_expert))
        table = derived(self.emit, value, "experts", (experts, *per_expert), lambda a: a)
        return self.emit.op("Gather", table, self.flat_ids(), axis=0)

    def copy(self, node: ir.Node, operands: list[ir.Value | None], axis: int | None) -> ir.Node:
        """Copy a node."""
        return _copy(self.emit, node, operands, axis)


@dataclass
class ScoredBlocks:
    """Emits [T, E, w]: every expert, to be skipped where its score is zero."""

    emit: Emitter
    tokens_count: int
    experts: int
    x: ir.Value | None = None
    weight_inputs: list[ir.Value] = field(default_factory=list)
    covered: list[str] = field(default_factory=list)

    def tokens(self, x: ir.Value) -> ir.Value:
        """Take the tokens, the same ones each time."""
        width = (graph_facts.size_of(x) or 0) // self.tokens_count
        if self.x is None:
            shape = (self.tokens_count, width)
            self.x = self.emit.reshape(with_shape(x, shape), *shape)
        elif not graph_facts.same_elements(x, self.x):
            raise NotBatched("the experts read different tokens")
        return self.x

    def linear(self, node: ir.Node, rows: ir.Value, weight: Weight) -> ir.Value:
        """Emit `BlockUp`; a second product can only be the last one, `BlockDown`."""
        if rows is not self.x:
            raise NotBatched(f"{node.name} is a second product before the result")
        self.covered.append(str(node.name))
        blocks = self.oriented(weight)
        return regions.block_up(_at(self.emit, node), rows, blocks, None)

    def oriented(self, weight: Weight) -> ir.Value:
        """Return the weight as [E, out, in]; a copy that is computed when it is read."""
        value = weight.value
        if weight.transposed:
            experts, inner, outer = graph_facts.shape_of(value) or (0, 0, 0)
            value = derived(self.emit, value, "blocks", (experts, outer, inner),
                            lambda a: a.transpose(0, 2, 1))  # fmt: skip
        if value not in self.weight_inputs:
            self.weight_inputs.append(value)
        return value

    def constant(self, value: ir.Value, per_expert: tuple[int, ...] | None) -> ir.Value:
        """Shape a constant per expert as [E, w]."""
        if per_expert is None:
            return _row_constant(self.emit, value)
        shape = (self.experts, *per_expert)
        table = derived(self.emit, value, "blocks", shape, lambda a: a.reshape(shape))
        self.weight_inputs.append(table)
        return table

    def copy(self, node: ir.Node, operands: list[ir.Value | None], axis: int | None) -> ir.Node:
        """Copy a node."""
        self.covered.append(str(node.name))
        return _copy(self.emit, node, operands, axis)


def _copy(
    emit: Emitter, node: ir.Node, operands: list[ir.Value | None], axis: int | None
) -> ir.Node:
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    if axis is not None:
        attributes["axis"] = axis
    return _at(emit, node).node(node.op_type, operands, attributes, outputs=len(node.outputs))


def _row_constant(emit: Emitter, value: ir.Value) -> ir.Value:
    shape = graph_facts.shape_of(value) or ()
    if len(shape) <= 1:
        return value
    array = graph_facts.array_of(value)
    assert array is not None
    return emit.constant(array.reshape(shape[-1:]), f"{value.name}.row")


def _at(emit: Emitter, node: ir.Node) -> Emitter:
    other = Emitter(emit.anchor)
    other.origin = graph_facts.origin_of(node) or emit.origin
    return other
