"""Undo the sorting of rows by expert: what is computed row by row does not need it.

`order, = TopK(ids, S, smallest)` sorts the S = T * K choices; rows are gathered by it, go through
one product per group, and are gathered back. A lifted value has its rows where they were before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts, regions
from edgemoe.emit import Emitter
from edgemoe.graph_facts import ELEMENTWISE, RESHAPES
from edgemoe.region_body import NORMS, REDUCTIONS
from edgemoe.stacked_weights import stack


class NotSorted(Exception):
    """The rows are not sorted, grouped or computed in the way that is understood."""


@dataclass
class SortedRows:
    """Lifts values of sorted rows [S, ...] in front of `emit`'s anchor."""

    emit: Emitter
    sort: ir.Node  # TopK of the ids, the smallest first, all of them
    experts: int
    _memo: dict[ir.Value, ir.Value] = field(default_factory=dict)

    @property
    def order(self) -> ir.Value:
        """Where each sorted row was before."""
        return self.sort.outputs[1]

    @property
    def flat_ids(self) -> ir.Value:
        """The ids before sorting, [S]."""
        ids = self.sort.inputs[0]
        assert ids is not None
        return self.emit.cast(ids, ir.DataType.INT64)

    @property
    def rows(self) -> int:
        """S."""
        return graph_facts.size_of(self.order) or 0

    def lift(self, value: ir.Value) -> ir.Value:
        """Return `value` with its rows in the order of the ids.

        Raises:
            NotSorted: it is not computed row by row from sorted rows.
        """
        if value not in self._memo:
            self._memo[value] = self._lift(value)
        return self._memo[value]

    def _lift(self, value: ir.Value) -> ir.Value:
        node, shape = value.producer(), graph_facts.shape_of(value)
        if node is None or shape is None or shape[0] != self.rows:
            raise NotSorted(f"{value.name} has no row per choice")
        if graph_facts.is_op(node, "GatherND", "Gather"):
            return self._gathered(node)
        if graph_facts.is_op(node, "Concat"):
            return self._grouped(node)
        if graph_facts.is_op(node, *RESHAPES) and node.inputs[0] is not None:
            return self.emit.reshape(self.lift(node.inputs[0]), *shape)
        if graph_facts.is_op(node, "Split", "Slice", *NORMS, *REDUCTIONS):
            return self._along_row(node, value)
        if graph_facts.is_op(node, *ELEMENTWISE):
            operands = [v if v is None or self._is_shared(v) else self.lift(v) for v in node.inputs]
            return self._copy(node, operands).outputs[0]
        raise NotSorted(f"{node.name} ({node.op_type}) is not computed row by row")

    def _along_row(self, node: ir.Node, value: ir.Value) -> ir.Value:
        source = node.inputs[0]
        if source is None or 0 in _axes_along(node):
            raise NotSorted(f"{node.name} ({node.op_type}) goes across rows")
        copy = self._copy(node, [self.lift(source), *node.inputs[1:]])
        self._memo.update(zip(node.outputs, copy.outputs, strict=True))
        return self._memo[value]

    def _is_shared(self, value: ir.Value) -> bool:
        shape = graph_facts.shape_of(value) or ()
        return graph_facts.is_constant(value) and (not shape or shape[0] != self.rows)

    def _copy(self, node: ir.Node, inputs: list[ir.Value | None]) -> ir.Node:
        attributes = {name: attribute.value for name, attribute in node.attributes.items()}
        emit = Emitter(self.emit.anchor)
        emit.origin = graph_facts.origin_of(node) or self.emit.origin
        return emit.node(node.op_type, inputs, attributes, outputs=len(node.outputs))

    def _gathered(self, node: ir.Node) -> ir.Value:
        """a[order] is a; x[order // K] is row t for choices t*K ..; b[sorted ids] is b[ids]."""
        source, index = node.inputs[:2]
        shape = graph_facts.shape_of(source)
        if source is None or index is None or shape is None:
            raise NotSorted(f"{node.name} gathers something unknown")
        if graph_facts.before_reshapes(index) is self.sort.outputs[0]:
            return self.emit.op("Gather", source, self.flat_ids, axis=0)
        numbers = np.arange(self.rows, dtype=np.int64)
        try:  # elementwise in `order`, which holds each of these numbers once
            (where,) = constant_eval.evaluate([index], {self.order: numbers})
        except ValueError as error:
            raise NotSorted(f"{node.name} gathers by something else than the order") from error
        if np.array_equal(where.reshape(-1), numbers) and shape[0] == self.rows:
            return source
        chosen = self.rows // shape[0]
        if self.rows % shape[0] or not np.array_equal(where.reshape(-1), numbers // chosen):
            raise NotSorted(f"{node.name} gathers other rows")
        width = int(np.prod(shape[1:]))
        ids = self.emit.reshape(self.flat_ids, shape[0], chosen)
        return regions.dispatch(self.emit, self.emit.reshape(source, shape[0], width), ids)

    def _grouped(self, node: ir.Node) -> ir.Value:
        """Concat over e of xs[offset[e-1] : offset[e]] @ W[e]."""
        source, weights, bounds = None, [], []
        for value in node.inputs:
            product = graph_facts.made_by(value, "MatMul")
            part = graph_facts.made_by(product.inputs[0], "Gather") if product else None
            span = graph_facts.made_by(part.inputs[1], "Range") if part else None
            if product is None or part is None or span is None:
                raise NotSorted(f"{node.name} does not join groups of rows")
            if source is not None and part.inputs[0] is not source:
                raise NotSorted(f"{node.name} joins groups of different rows")
            source = part.inputs[0]
            weight = product.inputs[1]
            if weight is None or not graph_facts.is_constant(weight):
                raise NotSorted(f"{product.name} has no constant weight")
            weights.append(weight)
            bounds += [v for v in span.inputs[:2] if v is not None]
        if len(weights) != self.experts or source is None:
            raise NotSorted(f"{node.name} joins {len(weights)} groups for {self.experts} experts")
        self._check_bounds(node, bounds)
        stacked = stack(self.emit.graph, weights)
        rows = self.lift(source)
        return regions.expert_linear(self.emit, rows, self.flat_ids, stacked, transposed=True)

    def _check_bounds(self, node: ir.Node, bounds: list[ir.Value]) -> None:
        """Check that group e is where the sorted ids are e: on each number alone, and on mixes."""
        random = np.random.default_rng(0)
        trials = [np.full(self.rows, e, np.int64) for e in range(self.experts)]
        trials += [np.sort(random.integers(0, self.experts, self.rows)) for _ in range(4)]
        for ids in trials:
            known = {self.sort.outputs[0]: ids}
            try:
                found = [int(x.reshape(-1)[0]) for x in constant_eval.evaluate(bounds, known)]
            except ValueError as error:
                raise NotSorted(f"{node.name}: the groups depend on more than the ids") from error
            ends = np.searchsorted(ids, np.arange(self.experts), side="right")
            starts = np.concatenate([[0], ends[:-1]])
            if found[0::2] != starts.tolist() or found[1::2] != ends.tolist():
                raise NotSorted(f"{node.name}: the groups are not those of the sorted ids")


def _axes_along(node: ir.Node) -> Collection[int]:
    """Return the axes that an operator mixes or cuts; 0 is among them where they are unknown."""
    rank = len(graph_facts.shape_of(node.inputs[0]) or ())
    if graph_facts.is_op(node, *REDUCTIONS):
        return graph_facts.axes_of(node) or [0]
    if graph_facts.is_op(node, "Slice"):
        axes = graph_facts.ints_of(node.inputs[3]) if len(node.inputs) > 3 else None
        return [axis % rank for axis in axes or [0]]
    default = 0 if graph_facts.is_op(node, "Split") else -1
    return [graph_facts.axis_of(node, default, rank)]
