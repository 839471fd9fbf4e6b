"""One strip of a segment: copies of its nodes for some rows, and the rows that it keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.targets.mcu.image_rows import Layout, activations, is_conv, window_of

Span = tuple[int, int]

KEPT = ".kept"
"""Behind the name of a Slice of rows for the next strip."""


class Strip:
    """The nodes of a segment for one strip of its result.

    `before` is the strip whose rows are kept, where they are.
    """

    def __init__(
        self, graph: ir.Graph, part: list[ir.Node], layouts: dict[ir.Value, Layout], name: str,
        before: Strip | None,
    ) -> None:  # fmt: skip
        self.graph, self.part, self.layouts, self.name = graph, part, layouts, name
        self.before, self.place = before, part[0]
        self.made: dict[ir.Value, tuple[ir.Value, Span]] = {}
        self.taken: dict[ir.Value, tuple[ir.Value, Span]] = {}
        self.spans: dict[ir.Value, Span] = {}
        self.computed: dict[ir.Value, Span] = {}

    def of(self, span: Span) -> ir.Value:
        """The rows `span` of the result."""
        self._find_spans(span)
        for node in self.part:
            if node.outputs[0] in self.spans:
                self._make(node)
        return self.made[self.part[-1].outputs[0]][0]

    def _find_spans(self, span: Span) -> None:
        """Rows that are needed of every result, and those of them that are computed."""
        found = self.spans
        found[self.part[-1].outputs[0]] = span
        for node in reversed(self.part):
            out = node.outputs[0]
            if out not in found:
                continue
            self.computed[out] = self._new(out, found[out])
            if self.computed[out][0] == self.computed[out][1]:
                continue
            for _, value in activations(node):
                first, last = self._reads(node, value, self.computed[out])
                known = found.get(value, (first, last))
                found[value] = (min(first, known[0]), max(last, known[1]))

    def _new(self, value: ir.Value, span: Span) -> Span:
        """The rows that the strip before has not got."""
        if self.before is None or value not in self.before.made:
            return span
        first, last = self.before.made[value][1]
        return (min(last, span[1]), span[1]) if first <= span[0] < last else span

    def _reads(self, node: ir.Node, value: ir.Value, span: Span) -> Span:
        if not is_conv(node):
            return span
        first, last = window_of(node).span(*span)
        return max(first, 0), min(last, self.layouts[value].rows)

    def _make(self, node: ir.Node) -> None:
        """The rows that are needed of a result: kept ones, and computed ones."""
        old = node.outputs[0]
        span, (begin, end) = self.spans[old], self.computed[old]
        rows: list[ir.Value] = []
        if span[0] < begin:
            assert self.before is not None
            source, have = self.before.made[old]
            rows.append(self._slice(source, have, (span[0], begin), old, KEPT))
        if begin < end:
            rows.append(self._copy(node, (begin, end), ".new" if rows else ""))
        self.made[old] = (rows[0] if len(rows) == 1 else self._joined(node, rows, span), span)

    def _joined(self, node: ir.Node, rows: list[ir.Value], span: Span) -> ir.Value:
        old = node.outputs[0]
        axis = ir.AttrInt64("axis", self.layouts[old].axis)
        new = self._value(old, span, "")
        join = ir.Node(
            "", "Concat", rows, [axis], outputs=[new],
            name=f"{node.name or old.name}{self.name}.rows",
            metadata_props=dict(node.metadata_props),
        )  # fmt: skip
        self.graph.insert_before(self.place, join)
        return new

    def _value(self, old: ir.Value, span: Span, suffix: str) -> ir.Value:
        """A tensor for some rows of another."""
        layout = self.layouts[old]
        shape = list(graph_facts.shape_of(old) or ())
        shape[layout.axis] = (span[1] - span[0]) * layout.unit
        name = f"{old.name}{self.name}{suffix}"
        return ir.Value(name=name, shape=ir.Shape(shape), type=old.type)

    def _copy(self, node: ir.Node, span: Span, suffix: str) -> ir.Value:
        inputs = list(node.inputs)
        for place, value in activations(node):
            inputs[place] = self._rows(value, self._reads(node, value, span))
        new = self._value(node.outputs[0], span, suffix)
        attributes = dict(node.attributes)
        if is_conv(node):
            self._pad(node, span, attributes)
        if graph_facts.is_op(node, "Reshape"):
            shape = graph_facts.shape_of(new) or ()
            inputs[1] = _constant(self.graph, f"{new.name}.shape", shape)
        copy = ir.Node(
            node.domain, node.op_type, inputs, list(attributes.values()), outputs=[new],
            overload=node.overload, name=f"{node.name or new.name}{self.name}",
            metadata_props=dict(node.metadata_props),
        )  # fmt: skip
        self.graph.insert_before(self.place, copy)
        return new

    def _pad(self, node: ir.Node, span: Span, attributes: dict[str, ir.Attr]) -> None:
        """Padding where a strip is at the edge of the image."""
        first, last = window_of(node).span(*span)
        value = node.inputs[0]
        assert value is not None
        above, below = max(-first, 0), max(last - self.layouts[value].rows, 0)
        if node.domain == DOMAIN:
            attributes["pad_y"] = ir.AttrInt64("pad_y", above)
            attributes["height"] = ir.AttrInt64("height", span[1] - span[0])
        else:
            pads = attributes.get("pads")
            _, left, _, right = [0] * 4 if pads is None else list(pads.as_ints())
            attributes["pads"] = ir.AttrInt64s("pads", [above, left, below, right])

    def _rows(self, value: ir.Value, span: Span) -> ir.Value:
        """Rows of a tensor; of one from outside, all that this strip reads are taken at once."""
        if value not in self.made and value not in self.taken:
            whole = (value, (0, self.layouts[value].rows))
            self.taken[value] = (self._slice(*whole, self.spans[value], value), self.spans[value])
        source, have = self.made.get(value) or self.taken[value]
        return self._slice(source, have, span, value)

    def _slice(
        self, source: ir.Value, have: Span, span: Span, value: ir.Value, suffix: str = ".slice"
    ) -> ir.Value:
        if have == span:
            return source
        layout = self.layouts[value]
        shape = list(graph_facts.shape_of(source) or ())
        begin, end = ((row - have[0]) * layout.unit for row in span)
        shape[layout.axis] = end - begin
        name = f"{source.name}{self.name}.{span[0]}.{span[1]}"
        numbers = {"starts": begin, "ends": end, "axes": layout.axis}
        given = [_constant(self.graph, f"{name}.{what}", [n]) for what, n in numbers.items()]
        new = ir.Value(name=f"{name}.rows", shape=ir.Shape(shape), type=value.type)
        node = ir.Node("", "Slice", [source, *given], outputs=[new], name=f"{name}{suffix}")
        self.graph.insert_before(self.place, node)
        return new


def _constant(graph: ir.Graph, name: str, numbers: Sequence[int]) -> ir.Value:
    array = np.array(numbers, np.int64)
    if name in graph.initializers:
        return graph.initializers[name]
    value = ir.Value(
        name=name, shape=ir.Shape(array.shape), type=ir.TensorType(ir.DataType.INT64),
        const_value=ir.tensor(array, name=name),
    )  # fmt: skip
    graph.register_initializer(value)
    return value
