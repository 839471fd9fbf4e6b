"""Rebuild what lies between dispatch and combine row by row, ready to be outlined.

Exporters leave the rows of a layer as [T*K, w], [T, K, w] or [B, L, K, w]. The body of a region has
one form: every value is [S, ...] with S = T * K, rows in the order t * K + j.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.emit import Emitter
from edgemoe.graph_facts import ELEMENTWISE, RESHAPES
from edgemoe.row_source import gathered_ids, repeated_rows

NORMS = frozenset({"RMSNormalization", "LayerNormalization", "Softmax", "LogSoftmax"})
REDUCTIONS = frozenset({"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2",
                         "ReduceSumSquare"})  # fmt: skip


_STARTS = ("Dispatch", *regions.EXPERT_LINEARS)


class NotRowWise(Exception):
    """The body mixes rows, or holds something that is not understood; says what and where."""


@dataclass
class RegionBody:
    """Lifts values to row form in front of `emit`'s anchor.

    `x`, `weight_inputs` and `extra` fill up on the way: the tokens that are dispatched, what the
    expert products read, and everything else that comes from outside.
    """

    emit: Emitter
    tokens: int
    chosen: int
    ids: ir.Value  # [T, K] int64
    weights: ir.Value  # [T, K]
    x: ir.Value | None = None
    weight_inputs: list[ir.Value] = field(default_factory=list)
    extra: list[ir.Value] = field(default_factory=list)
    row_wise: bool = False
    covered: list[str] = field(default_factory=list)
    _memo: dict[ir.Value, ir.Value] = field(default_factory=dict)
    _dispatches: dict[ir.Value, ir.Value] = field(default_factory=dict)
    _inner: set[ir.Value] = field(default_factory=set)
    _flat: ir.Value | None = None

    @property
    def rows(self) -> int:
        """S = T * K."""
        return self.tokens * self.chosen

    def lift(self, value: ir.Value) -> ir.Value:
        """Return `value` as [S, ...].

        Raises:
            NotRowWise: it is not computed row by row.
        """
        if value not in self._memo:
            self._memo[value] = self._lift(value)
        return self._memo[value]

    def flat_ids(self) -> ir.Value:
        """Return the ids as [S]."""
        if self._flat is None:
            self._flat = self.emit.op("Reshape", self.ids, self.emit.ints(-1))
        return self._flat

    def _lift(self, value: ir.Value) -> ir.Value:
        node = value.producer()
        if node is None or not self._depends(value):
            return self._leaf(value)
        self.covered.append(str(node.name))
        if graph_facts.kind_of(node) == "Dispatch":
            return self._leaf(value)
        if graph_facts.kind_of(node) in regions.EXPERT_LINEARS:
            return self._linear(node)
        if graph_facts.is_op(node, *RESHAPES):
            assert node.inputs[0] is not None
            return self._shaped(self.lift(node.inputs[0]), self._inner_shape(value))
        if graph_facts.is_op(node, *ELEMENTWISE):
            return self._elementwise(node)
        if graph_facts.is_op(node, "Gemm", "MatMul"):
            return self._shared_product(node)
        if graph_facts.is_op(node, "Split", "Slice", "Gather", "Concat", *NORMS, *REDUCTIONS):
            return self._along_row(node, value)
        raise NotRowWise(f"{node.name} ({node.op_type}) is not computed row by row")

    def _depends(self, value: ir.Value) -> bool:
        """Tell whether an expert product of this layer is among the ancestors of `value`."""
        if value in self._inner:
            return True
        todo, seen = [value], set[ir.Value]()
        while todo:
            current = todo.pop()
            node = current.producer()
            if node is None or current in seen:
                continue
            seen.add(current)
            if graph_facts.kind_of(node) in _STARTS and self._mine(node):
                self._inner.add(value)
                return True
            if node.domain == graph_facts.DOMAIN:
                continue
            todo.extend(v for v in node.inputs if v is not None)
        return False

    def _mine(self, node: ir.Node) -> bool:
        ids = node.inputs[1]
        return ids is not None and graph_facts.same_elements(ids, self.ids)

    def _linear(self, node: ir.Node) -> ir.Value:
        x, _, *parameters = node.inputs
        assert x is not None
        kind = graph_facts.kind_of(node)
        rows = self._shaped(self.lift(x), (graph_facts.shape_of(x) or ())[1:])
        for value in parameters:
            assert value is not None
            if value not in self.weight_inputs:
                self.weight_inputs.append(value)
        weight = parameters[0]
        assert weight is not None
        bias = parameters[1] if len(parameters) > 1 else None
        emit = self._at(node)
        return regions.expert_linear(
            emit, rows, self.flat_ids(), weight, bias, transposed="T" in kind[len("ExpertLinear") :]
        )

    def _shared_product(self, node: ir.Node) -> ir.Value:
        """Copy a product with a matrix that all experts share (the base of low-rank experts)."""
        rows, weight, *bias = node.inputs
        matrix = graph_facts.is_constant(weight) and len(graph_facts.shape_of(weight) or ()) == 2
        if rows is None or weight is None or not matrix or graph_facts.attribute(node, "transA", 0):
            raise NotRowWise(f"{node.name} ({node.op_type}) is not computed row by row")
        if any(v is not None and not graph_facts.is_constant(v) for v in bias):
            raise NotRowWise(f"{node.name} ({node.op_type}) adds something that is not constant")
        width = (graph_facts.shape_of(rows) or (0,))[-1]
        self.row_wise = True
        self._outside(weight)
        return self._copy(node, [self._shaped(self.lift(rows), (width,)), weight, *bias])[0]

    def _leaf(self, value: ir.Value) -> ir.Value:
        if graph_facts.is_constant(value):
            return value
        node = value.producer()
        if graph_facts.kind_of(node) == "Dispatch" and node is not None:
            source, dispatched_by = node.inputs
            assert source is not None and dispatched_by is not None
            # The same choices taken apart, [T*K, 1] instead of [T, K], dispatch other rows.
            alike = graph_facts.shape_of(dispatched_by) == (self.tokens, self.chosen)
            if alike and graph_facts.same_elements(dispatched_by, self.ids):
                return self._dispatched(source, (graph_facts.shape_of(source) or (0, 0))[1])
        ids = gathered_ids(node, rank=2) if node is not None else None
        if node is not None and ids is not None and graph_facts.same_elements(ids, self.ids):
            table = node.inputs[0]
            assert table is not None
            self._outside(table)
            return self.emit.op("Gather", table, self.flat_ids(), axis=0)
        if graph_facts.same_elements(value, self.weights):
            return self._shaped(self.weights, (1,))
        size = graph_facts.size_of(value) or 0
        if size % self.rows == 0:
            source = repeated_rows(value, self.tokens, self.chosen)
            if source is not None:
                return self._dispatched(source, size // self.rows)
            scaled = graph_facts.before_reshapes(value).producer()
            if scaled is not None and self._scales_tokens(scaled):
                inner = self._inner_shape(value)
                return self._shaped(self._elementwise(scaled), inner)
            self._outside(rows := self.emit.reshape(value, self.rows, size // self.rows))
            return rows
        raise NotRowWise(f"{value.name} has no row per choice")

    def _scales_tokens(self, node: ir.Node) -> bool:
        """Tell whether a node computes on dispatched tokens before any expert does."""
        if not graph_facts.is_op(node, *ELEMENTWISE):
            return False
        wide = [v for v in node.inputs if v is not None and not graph_facts.is_constant(v)
                and (graph_facts.size_of(v) or 0) > self.rows]  # fmt: skip
        return any(repeated_rows(v, self.tokens, self.chosen) is not None for v in wide)

    def _dispatched(self, source: ir.Value, width: int) -> ir.Value:
        tokens = self.emit.reshape(source, self.tokens, width)
        if self.x is None:
            self.x = tokens
        if tokens is not self.x:
            self._outside(tokens)
        if tokens not in self._dispatches:
            self._dispatches[tokens] = regions.dispatch(self.emit, tokens, self.ids)
        return self._dispatches[tokens]

    def _outside(self, value: ir.Value) -> None:
        if value not in self.extra:
            self.extra.append(value)

    def _inner_shape(self, value: ir.Value) -> tuple[int, ...]:
        return self.split_shape(graph_facts.shape_of(value), str(value.name))[1]

    def split_shape(
        self, shape: tuple[int, ...] | None, name: str = ""
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Split a shape into the axes that number the rows and those inside a row."""
        for lead in range(1, len(shape or ()) + 1):
            assert shape is not None
            if int(np.prod(shape[:lead])) == self.rows:
                while lead < len(shape) - 1 and shape[lead] == 1:
                    lead += 1
                return shape[:lead], shape[lead:]
        raise NotRowWise(f"{name} with shape {shape} does not keep the {self.rows} rows apart")

    def _elementwise(self, node: ir.Node) -> ir.Value:
        output = graph_facts.shape_of(node.outputs[0])
        lead, inner = self.split_shape(output, str(node.outputs[0].name))
        operands = [
            None if value is None else self._operand(value, lead, inner) for value in node.inputs
        ]
        return self._copy(node, operands)[0]

    def _operand(self, value: ir.Value, lead: tuple[int, ...], inner: tuple[int, ...]) -> ir.Value:
        shape = graph_facts.shape_of(value)
        if shape is None:
            raise NotRowWise(f"{value.name} has no static shape")
        padded = (1,) * (len(lead) + len(inner) - len(shape)) + shape
        front, back = padded[: len(lead)], padded[len(lead) :]
        if graph_facts.is_constant(value) and all(d == 1 for d in front):
            return self._shaped_constant(value, back)
        if self._depends(value) or int(np.prod(front)) == self.rows:
            return self._shaped(self.lift(value), back)
        if int(np.prod(front)) == self.tokens and front[-1] == 1:
            return self._shaped(self._dispatched(value, int(np.prod(back))), back)
        raise NotRowWise(f"{value.name} with shape {shape} is shared by rows in an unknown way")

    def _shaped_constant(self, value: ir.Value, back: tuple[int, ...]) -> ir.Value:
        shape = graph_facts.shape_of(value) or ()
        target = back
        while target and target[0] == 1:
            target = target[1:]
        if len(shape) <= len(back) or not shape:
            return value
        return self._reshaped_constant(value, target)

    def _reshaped_constant(self, value: ir.Value, shape: tuple[int, ...]) -> ir.Value:
        array = graph_facts.array_of(value)
        assert array is not None
        return self.emit.constant(array.reshape(shape), f"{value.name}.row")

    def _along_row(self, node: ir.Node, value: ir.Value) -> ir.Value:
        """Copy an operator that works along an axis inside the row."""
        source = node.inputs[0]
        shape = graph_facts.shape_of(source)
        lead, inner = self.split_shape(shape, str(source.name if source else ""))
        assert source is not None and shape is not None
        inputs = list(node.inputs)
        attributes = {name: a.value for name, a in node.attributes.items()}
        shift = len(lead) - 1
        if node.op_type in REDUCTIONS or node.op_type == "Slice":
            index = 3 if node.op_type == "Slice" else 1
            axes = graph_facts.ints_of(inputs[index]) if len(inputs) > index else None
            axes = [a + len(shape) if a < 0 else a for a in axes or []]
            if not axes or min(axes) < len(lead):
                raise NotRowWise(f"{node.name} ({node.op_type}) goes across rows")
            inputs[index] = self.emit.ints(*(a - shift for a in axes))
        else:
            axis = graph_facts.axis_of(
                node, 0 if node.op_type in ("Split", "Gather") else -1, len(shape)
            )
            if axis < len(lead):
                raise NotRowWise(f"{node.name} ({node.op_type}) goes across rows")
            attributes["axis"] = axis - shift
        self.row_wise |= node.op_type in NORMS | REDUCTIONS
        operands: list[ir.Value | None]
        if node.op_type == "Concat":
            operands = [self._operand(v, lead, (graph_facts.shape_of(v) or ())[len(lead) :])
                        for v in inputs if v is not None]  # fmt: skip
        else:
            operands = [self._shaped(self.lift(source), inner), *inputs[1:]]
        copies = self._copy(node, operands, attributes)
        for old, new in zip(node.outputs, copies, strict=True):
            self._memo[old] = new
        return copies[value.index() or 0]

    def _copy(
        self,
        node: ir.Node,
        operands: Sequence[ir.Value | None],
        attributes: dict[str, object] | None = None,
    ) -> tuple[ir.Value, ...]:
        if attributes is None:
            attributes = {name: a.value for name, a in node.attributes.items()}
        copy = self._at(node).node(node.op_type, operands, attributes, outputs=len(node.outputs))
        return tuple(copy.outputs)

    def _at(self, node: ir.Node) -> Emitter:
        emit = Emitter(self.emit.anchor)
        emit.origin = graph_facts.origin_of(node) or self.emit.origin
        return emit

    def _shaped(self, rows: ir.Value, inner: tuple[int, ...]) -> ir.Value:
        """Give rows the shape [S, *inner], going around reshapes made here."""
        target = (self.rows, *inner)
        outside = {self.weights, self.x, *self.extra}
        while graph_facts.shape_of(rows) != target and rows not in outside:
            node = graph_facts.made_by(rows, *RESHAPES)
            if node is None or node.inputs[0] is None:
                break
            rows = node.inputs[0]
        return self.emit.reshape(rows, *target)
