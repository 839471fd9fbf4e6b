"""Turn the template of unrolled experts into rows: one row per (token, choice) pair.

A value of the template has its rows first, [n, ...] in a loop over NonZero rows and [T, ...] in a
dense loop; lifted it is [S, ...], S = T * K, row t * K + j for choice j of token t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, regions
from edgemoe.anti_unify import Template
from edgemoe.emit import Emitter
from edgemoe.graph_facts import ELEMENTWISE, RESHAPES
from edgemoe.stacked_weights import stack

_REDUCTIONS = frozenset({"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"})
_ALONG = _REDUCTIONS | {"Split", "Slice", "Softmax", "RMSNormalization", "LayerNormalization"}
LIFTED = ELEMENTWISE | RESHAPES | _ALONG | {"Gemm", "MatMul"}
"""Operators that may stand in the body of an expert."""


class NotLifted(Exception):
    """The body of the experts is not understood; says what is in the way."""


@dataclass
class TemplateRows:
    """Lifts templates in front of `emit`'s anchor.

    Args of the constructor:
        order: the number of the expert that copy i computes.
        leaf: lifts what depends on no expert weight, or returns None to go on inside it.
        lead: how many leading axes of a template value number its rows.
    """

    emit: Emitter
    ids: ir.Value  # [T, K] int64
    rows: int
    order: list[int]
    leaf: Callable[[Template], ir.Value | None]
    lead: Callable[[Template], int]
    _memo: dict[int, ir.Value] = field(default_factory=dict)
    _flat: ir.Value | None = None

    def lift(self, template: Template) -> ir.Value:
        """Return the rows of a template value.

        Raises:
            NotLifted: an operator mixes rows, or is not known.
        """
        if id(template) not in self._memo:
            self._memo[id(template)] = self._lift(template)
        return self._memo[id(template)]

    def flat_ids(self) -> ir.Value:
        """Return the ids as [S]."""
        if self._flat is None:
            self._flat = self.emit.reshape(self.ids, self.rows)
        return self._flat

    def stacked(self, template: Template) -> ir.Value:
        """Return the constants of all copies as one constant, expert by expert."""
        by_expert = sorted(zip(self.order, template.values, strict=True), key=lambda pair: pair[0])
        return stack(self.emit.graph, [value for _, value in by_expert])

    def _lift(self, template: Template) -> ir.Value:
        if (found := self.leaf(template)) is not None:
            return found
        if template.kind == "parameter":
            table = self.stacked(template)
            return self.emit.op("Gather", table, self.flat_ids(), axis=0)
        if template.kind == "shared":
            if graph_facts.is_constant(template.value):
                return template.value
            raise NotLifted(f"{template.value.name} has no row per choice")
        node = template.node
        if template.is_op("Gemm", "MatMul"):
            return self._linear(template)
        if template.is_op(*RESHAPES):
            source = template.children[0]
            assert source is not None
            return self.emit.reshape(self.lift(source), self.rows, *self._inner(template))
        if template.is_op(*ELEMENTWISE):
            return self._copy(template, [self._operand(c, template) for c in template.children])
        if template.is_op(*_ALONG):
            return self._along(template)
        raise NotLifted(f"{node.name} ({node.op_type}) in the body of the experts")

    def _operand(self, child: Template | None, parent: Template) -> ir.Value | None:
        if child is None:
            return None
        if child.kind == "op" or not graph_facts.is_constant(child.value):
            return self.lift(child)
        shape = graph_facts.shape_of(child.value)
        inner = self._inner(parent)
        if shape is None or len(shape) > len(inner):
            trimmed = (shape or ())[len(shape or ()) - len(inner) :]
            size = graph_facts.size_of(child.value)
            if shape is None or int(np.prod(trimmed)) != size:
                raise NotLifted(f"constant {child.value.name} differs from row to row")
            shape = trimmed
        if child.kind == "shared":
            if shape == graph_facts.shape_of(child.value):
                return child.value
            array = graph_facts.array_of(child.value)
            assert array is not None
            return self.emit.constant(array.reshape(shape), f"{child.value.name}.row")
        rows = self.lift(child)
        padded = (1,) * (len(inner) - len(shape)) + shape
        return self.emit.reshape(rows, self.rows, *padded)

    def _inner(self, template: Template) -> tuple[int, ...]:
        shape = template.value.shape
        extents = None if shape is None else tuple(shape)[self.lead(template) :]
        if extents is None or not all(isinstance(extent, int) for extent in extents):
            raise NotLifted(f"{template.value.name} has no static width")
        return tuple(int(extent) for extent in extents)  # type: ignore[arg-type]

    def _linear(self, template: Template) -> ir.Value:
        node = template.node
        x, weight, *rest = template.children
        assert x is not None and weight is not None
        bias = rest[0] if rest else None
        flipped = not graph_facts.is_op(node, "Gemm") or not graph_facts.attribute(
            node, "transB", 0
        )
        plain = (
            graph_facts.float_attribute(node, "alpha", 1.0) == 1.0
            and graph_facts.float_attribute(node, "beta", 1.0) == 1.0
            and not graph_facts.attribute(node, "transA", 0)
        )
        matrix = len(graph_facts.shape_of(weight.value) or ()) == 2
        if not plain or not matrix or not graph_facts.is_constant(weight.value):
            raise NotLifted(f"{node.name} is no plain product with a constant matrix")
        rows = self.lift(x)
        if weight.kind == "shared":
            return self._copy(template, [rows, weight.value, *(self._shared(bias))])
        table = None if bias is None else self._bias(bias)
        emit = self._at(template)
        stacked = self.stacked(weight)
        return regions.expert_linear(
            emit, rows, self.flat_ids(), stacked, table, transposed=flipped
        )

    def _bias(self, bias: Template) -> ir.Value:
        if len(graph_facts.shape_of(bias.value) or ()) != 1 or bias.kind == "op":
            raise NotLifted(f"bias {bias.value.name} is no constant vector")
        if bias.kind == "shared":  # the same in every copy: zeros that were shared, for example
            return stack(self.emit.graph, [bias.value] * len(self.order))
        return self.stacked(bias)

    def _shared(self, bias: Template | None) -> list[ir.Value]:
        if bias is None:
            return []
        if bias.kind != "shared" or not graph_facts.is_constant(bias.value):
            raise NotLifted(f"bias {bias.value.name} of a shared product")
        return [bias.value]

    def _along(self, template: Template) -> ir.Value:
        """Copy an operator along an axis inside the row; the row axes become one."""
        node = template.node
        source = template.children[0]
        assert source is not None
        lead = self.lead(source)
        rank = len(source.value.shape or ())
        attributes = {name: a.value for name, a in node.attributes.items()}
        others: list[ir.Value | None] = [
            None if child is None else child.value for child in template.children[1:]
        ]
        norms = template.is_op("RMSNormalization", "LayerNormalization")
        if norms:
            return self._norm(template, lead, rank, attributes)
        if any(child is not None and child.kind != "shared" for child in template.children[1:]):
            raise NotLifted(f"{node.name} ({node.op_type}) differs between experts")
        if template.is_op(*_REDUCTIONS):
            axes = graph_facts.axes_of(node)
            if not axes or min(axes) < lead:
                raise NotLifted(f"{node.name} ({node.op_type}) goes across rows")
            others = [self.emit.ints(*(axis - lead + 1 for axis in axes))]
        elif template.is_op("Slice"):
            axes = graph_facts.ints_of(others[2]) if len(others) > 2 else None
            axes = [axis + rank if axis < 0 else axis for axis in axes or []]
            if not axes or min(axes) < lead:
                raise NotLifted(f"{node.name} (Slice) goes across rows")
            others[2] = self.emit.ints(*(axis - lead + 1 for axis in axes))
        else:
            axis = graph_facts.axis_of(node, 0 if template.is_op("Split") else -1, rank)
            if axis < lead:
                raise NotLifted(f"{node.name} ({node.op_type}) goes across rows")
            attributes["axis"] = axis - lead + 1
        inputs = [self.lift(source), *others]
        made = self._at(template).node(node.op_type, inputs, attributes, outputs=len(node.outputs))
        return made.outputs[template.value.index() or 0]

    def _norm(
        self, template: Template, lead: int, rank: int, attributes: dict[str, object]
    ) -> ir.Value:
        """Normalise a row; scales of the experts' own become a product behind the norm."""
        node = template.node
        axis = graph_facts.axis_of(node, -1, rank)
        source, *scales = template.children
        if axis < lead or source is None:
            raise NotLifted(f"{node.name} ({node.op_type}) goes across rows")
        attributes["axis"] = axis - lead + 1
        rows, emit = self.lift(source), self._at(template)
        if all(scale is None or scale.kind == "shared" for scale in scales):
            inputs = [rows, *(None if scale is None else scale.value for scale in scales)]
            return emit.node(node.op_type, inputs, attributes).outputs[0]
        shape = graph_facts.shape_of(scales[0].value) if scales[0] is not None else None
        ones = emit.constant(np.ones(shape or (1,), np.float32), "ones")
        y = emit.node(node.op_type, [rows, ones], attributes).outputs[0]
        for op_type, scale in zip(("Mul", "Add"), scales, strict=False):
            if scale is not None:
                y = emit.op(op_type, y, self._operand(scale, template))
        return y

    def _copy(self, template: Template, operands: list[ir.Value | None]) -> ir.Value:
        node = template.node
        attributes = {name: a.value for name, a in node.attributes.items()}
        return self._at(template).node(node.op_type, operands, attributes).outputs[0]

    def _at(self, template: Template) -> Emitter:
        emit = Emitter(self.emit.anchor)
        nodes = [node for value in template.values if (node := value.producer()) is not None]
        emit.origin = graph_facts.common_origin(nodes) or self.emit.origin
        return emit


def split_weight(template: Template, is_weight: Callable[[Template], ir.Value | None]) -> tuple[
    Template, ir.Value | None
]:  # fmt: skip
    """Split weight * y at the top of a template; (template, None) when there is no weight."""
    if template.is_op("Mul"):
        first, second = template.children
        for y, w in ((first, second), (second, first)):
            if y is not None and w is not None and (found := is_weight(w)) is not None:
                return y, found
    return template, None


def emit_combine(
    rows: TemplateRows, y: ir.Value, weights: ir.Value | None, tokens: int, chosen: int
) -> ir.Value:
    """Emit the weighted sum over the choices of a token; weights [T, K], None for ones."""
    emit = rows.emit
    shape = graph_facts.shape_of(y)
    assert shape is not None
    dtype = y.dtype or ir.DataType.FLOAT
    flat = emit.reshape(y, tokens * chosen, int(np.prod(shape[1:])))
    if weights is None:
        weights = emit.constant(np.ones((tokens, chosen), dtype.numpy()), "ones")
    weights = emit.cast(emit.reshape(weights, tokens, chosen), dtype)
    return regions.combine(emit, flat, weights)
