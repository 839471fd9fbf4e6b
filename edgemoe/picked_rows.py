"""Compute for all rows what a graph computes for the rows that NonZero picked.

The indices that NonZero gives are replaced by all indices; everything behind them, which is
computed row by row, then has a row for each position of the mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_facts import ELEMENTWISE, RESHAPES
from edgemoe.template_rows import LIFTED

INDEX_OPS = frozenset({"Transpose", "Slice", "Gather", "Cast", "Concat", "Split", "Unsqueeze",
                       "Squeeze", "Reshape", "Identity", "Expand"})  # fmt: skip


class NotPicked(Exception):
    """The rows are not picked, or not computed, in a way that is understood."""


def picking_node(index: ir.Value | None, limit: int = 24) -> ir.Node | None:
    """Return the NonZero that an index is made of by data movement."""
    for _ in range(limit):
        node = index.producer() if index is not None else None
        if node is None or graph_facts.is_op(node, "NonZero"):
            return node
        if not graph_facts.is_op(node, *INDEX_OPS):
            return None
        moving = [v for v in node.inputs if v is not None and not graph_facts.is_constant(v)]
        index = next((v for v in moving if v.producer() is not None), None)
    return None


def coordinates(index: ir.Value, picks: ir.Node, numbers: np.ndarray) -> np.ndarray:
    """Return the index for picked coordinates `numbers` [rank of the mask, n].

    Raises:
        NotPicked: it depends on something else.
    """
    known = {picks.outputs[0]: numbers}
    known.update(_moved_extents(index, picks, numbers.shape[1]))
    try:
        return constant_eval.evaluate([index], known)[0]
    except Exception as error:  # a shape that fits the picked rows only
        raise NotPicked(f"{index.name} is no movement of picked rows") from error


def _moved_extents(index: ir.Value, picks: ir.Node, count: int) -> dict[ir.Value, np.ndarray]:
    """Extents that the exporter takes from the picked rows themselves: Shape(Max(rows))."""
    found: dict[ir.Value, np.ndarray] = {}
    for node in graph_facts.ancestors([index], frozenset(picks.outputs)):
        if graph_facts.is_op(node, "Shape"):
            found[node.outputs[0]] = np.array([count], np.int64)
    return found


@dataclass
class PickedRows:
    """Lifts values of picked rows [n, ...] to [N, ...] in front of `emit`'s anchor.

    `numbers` [rank of the mask, N] are the coordinates that stand for the picked ones.
    """

    emit: Emitter
    picks: ir.Node
    numbers: np.ndarray
    _memo: dict[ir.Value, ir.Value] = field(default_factory=dict)
    _dependent: dict[ir.Value, bool] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """N."""
        return int(self.numbers.shape[1])

    def depends(self, value: ir.Value) -> bool:
        """Tell whether a value has something to do with the picked rows."""
        if value not in self._dependent:
            node = value.producer()
            self._dependent[value] = node is self.picks or (
                node is not None and any(v is not None and self.depends(v) for v in node.inputs)
            )
        return self._dependent[value]

    def lift(self, value: ir.Value) -> ir.Value:
        """Return the value for all rows.

        Raises:
            NotPicked: it is not computed row by row.
        """
        if value not in self._memo:
            self._memo[value] = self._lift(value) if self.depends(value) else value
        return self._memo[value]

    def _lift(self, value: ir.Value) -> ir.Value:
        node = value.producer()
        assert node is not None
        if graph_facts.is_op(node, "GatherND", "Gather") and not self.depends(
            node.inputs[0] or value
        ):
            return self._gathered(node)
        if graph_facts.is_op(node, "Expand", *RESHAPES):
            return self._shaped(node)
        if graph_facts.is_op(node, *LIFTED):
            return self._copied(node, value)
        raise NotPicked(f"{node.name} ({node.op_type}) stands between picked rows and the result")

    def _gathered(self, node: ir.Node) -> ir.Value:
        source, index = node.inputs[:2]
        assert source is not None and index is not None
        where = coordinates(index, self.picks, self.numbers)
        shape = graph_facts.shape_of(source)
        if graph_facts.is_op(node, "Gather"):
            if graph_facts.attribute(node, "axis", 0) != 0:
                raise NotPicked(f"{node.name} gathers along another axis than the rows")
            where = where[..., None]
        if shape is None or graph_facts.attribute(node, "batch_dims", 0) or where.ndim != 2:
            raise NotPicked(f"{node.name} ({node.op_type}) picks something else than rows")
        depth = where.shape[-1]
        extents = np.indices(shape[:depth]).reshape(depth, -1).T
        if np.array_equal(where, extents):  # all rows in order
            return self.emit.reshape(source, self.count, *shape[depth:])
        return self.emit.op("GatherND", source, self.emit.constant(where.astype(np.int64), "rows"))

    def _shaped(self, node: ir.Node) -> ir.Value:
        source, target = node.inputs[0], node.outputs[0].shape
        assert source is not None
        inner = [] if target is None else list(target)[1:]
        if target is None or not all(isinstance(extent, int) for extent in inner):
            raise NotPicked(f"{node.name} ({node.op_type}) changes the rows")
        rows = self.lift(source)
        shape = (self.count, *(int(extent) for extent in inner if isinstance(extent, int)))
        if graph_facts.is_op(node, "Expand"):
            same = graph_facts.shape_of(rows) == shape
            return rows if same else self.emit.op("Expand", rows, self.emit.ints(*shape))
        if graph_facts.size_of(rows) != int(np.prod(shape)):
            raise NotPicked(f"{node.name} ({node.op_type}) changes the rows")
        return self.emit.reshape(rows, *shape)

    def _copied(self, node: ir.Node, value: ir.Value) -> ir.Value:
        rank = len(node.inputs[0].shape or ()) if node.inputs[0] is not None else 0
        if self._across_rows(node, rank):
            raise NotPicked(f"{node.name} ({node.op_type}) goes across rows")
        inputs = [None if v is None else self.lift(v) for v in node.inputs]
        emit = Emitter(self.emit.anchor)
        emit.origin = graph_facts.origin_of(node) or self.emit.origin
        attributes = {name: a.value for name, a in node.attributes.items()}
        made = emit.node(node.op_type, inputs, attributes, outputs=len(node.outputs))
        self._memo.update(zip(node.outputs, made.outputs, strict=True))
        return self._memo[value]

    def _across_rows(self, node: ir.Node, rank: int) -> bool:
        if graph_facts.is_op(node, *ELEMENTWISE):
            return False
        if graph_facts.is_op(node, "Gemm", "MatMul"):
            return self.depends(node.inputs[1] or node.outputs[0]) or bool(
                graph_facts.attribute(node, "transA", 0)
            )
        if graph_facts.is_op(node, "Slice"):
            axes = graph_facts.ints_of(node.inputs[3]) if len(node.inputs) > 3 else None
        elif node.op_type.startswith("Reduce"):
            axes = graph_facts.ints_of(node.inputs[1]) if len(node.inputs) > 1 else None
        else:
            default = 0 if graph_facts.is_op(node, "Split") else -1
            axes = [graph_facts.attribute(node, "axis", default)]
        return not axes or any(axis % rank == 0 for axis in axes)
