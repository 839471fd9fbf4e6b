"""Part of a graph computed strip by strip: rows of an image, with the rows around them.

    y = conv(gelu(conv(x))) -> y[0:4] = conv(gelu(conv(x[0:6]))); y[4:8] = conv(gelu(conv(x[2:8])))

What lies between the first and the last operator has the rows of one strip. Rows that two strips
need are computed twice, or kept by the first one for the second; every number is the same.
Patch-based inference is that of MCUNetV2 (Lin et al. 2021, arXiv 2110.15352, section 3.1), with
patches as wide as the image here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.strip_scales import STRIP
from edgemoe.targets.mcu.image_rows import (
    Layout,
    activations,
    is_conv,
    is_understood,
    layouts_of,
    window_of,
)

Span = tuple[int, int]

JOINED = ".strips"
"""Behind the name of the Concat of all strips."""

KEPT = ".kept"
"""Behind the name of a Slice of rows for the next strip."""


@dataclass(frozen=True)
class Segment:
    """Nodes number `first` to `last` of a graph; only the result of the last is read outside."""

    first: int
    last: int
    rows: int  # of the result


def segments_of(graph: ir.Graph) -> list[Segment]:
    """All runs of nodes that can be computed strip by strip, with a convolution in them."""
    nodes, layouts = list(graph), layouts_of(graph)
    good = [is_understood(node, layouts) for node in nodes]
    numbers = {node: n for n, node in enumerate(nodes)}
    last_use = [
        max([len(nodes) if v.is_graph_output() else n,
             *(numbers.get(use.node, len(nodes)) for use in v.uses())])
        for n, node in enumerate(nodes) for v in node.outputs[:1]
    ]  # fmt: skip
    found = []
    for first in range(len(nodes)):
        if not good[first] or not _may_begin(nodes[first], good, first):
            continue
        for last in range(first, len(nodes)):
            if not good[last]:
                break
            alone = all(n < last_use[n] <= last for n in range(first, last))
            if alone and any(is_conv(node) for node in nodes[first : last + 1]):
                found.append(Segment(first, last, layouts[nodes[last].outputs[0]].rows))
    return [s for s in found if s.rows > 1]


def _may_begin(node: ir.Node, good: Sequence[bool], number: int) -> bool:
    """Begin where strips save something: at the front of a run, or with a convolution."""
    return number == 0 or not good[number - 1] or is_conv(node)


def like(model: ir.Model, other: ir.Model, segment: Segment) -> Segment | None:
    """The segment of a float graph that makes what a segment of its integer graph makes.

    An integer graph has more tensors than the float one, such as the `t.rows` and `t.turned` of a
    product from the left: they count as t.
    """
    ends = _ends(other.graph, segment)
    found = {_ends(model.graph, one): one for one in segments_of(model.graph)}
    wanted = [(first, last) for first in _short(ends[0]) for last in _short(ends[1])]
    return next((found[pair] for pair in wanted if pair in found), None)


def _ends(graph: ir.Graph, segment: Segment) -> tuple[str, str]:
    nodes = list(graph)
    (_, source), *_ = activations(nodes[segment.first])
    return str(source.name), str(nodes[segment.last].outputs[0].name)


def _short(name: str) -> tuple[str, ...]:
    return (name, name.rpartition(".")[0])


def cut(model: ir.Model, segment: Segment, pieces: int, *, keep: bool = False) -> ir.Model:
    """A copy of `model` in which a segment is computed in so many strips of rows.

    They `keep` rows that the next one needs again, or leave them to be computed again.
    """
    made = cut_apart(model, segment, pieces, keep=keep)
    place_strips(made.graph)
    return made


def place_strips(graph: ir.Graph) -> None:
    """Have the strips of `cut_apart` placed one by one, so that no two live at once.

    Rows that are kept are copied as soon as nobody reads the others of their tensor.
    """
    _place(graph, next(node for node in graph if is_joined(node)))
    numbers = {node: n for n, node in enumerate(graph)}
    for node in [n for n in graph if n.op_type == "Slice" and str(n.name).endswith(KEPT)]:
        (_, source), *_ = activations(node)
        before = [use.node for use in source.uses() if numbers[use.node] < numbers[node]]
        producer = source.producer()
        assert producer is not None
        graph.remove(node)
        graph.insert_after(max([producer, *before], key=numbers.__getitem__), node)


def is_joined(node: ir.Node) -> bool:
    """Whether it puts the strips of `cut_apart` together."""
    return node.op_type == "Concat" and str(node.name).endswith(JOINED)


def cut_apart(model: ir.Model, segment: Segment, pieces: int, *, keep: bool = False) -> ir.Model:
    """`cut` in standard operators, where all strips live until they meet in a Concat."""
    made = model.clone()
    graph = made.graph
    nodes, layouts = list(graph), layouts_of(graph)
    part = nodes[segment.first : segment.last + 1]
    old = part[-1].outputs[0]
    strips = []
    last: _Strip | None = None
    for piece in range(pieces):
        span = (segment.rows * piece // pieces, segment.rows * (piece + 1) // pieces)
        strip = _Strip(graph, part, layouts, f"{STRIP}{piece}", last)
        strips.append(strip.of(span))
        last = strip if keep else None
    whole = ir.Value(name=f"{old.name}.whole", shape=old.shape, type=old.type)
    node = ir.Node(
        "", "Concat", strips, [ir.AttrInt64("axis", layouts[old].axis)], outputs=[whole],
        name=f"{old.name}{JOINED}", metadata_props=dict(part[-1].metadata_props),
    )  # fmt: skip
    graph.insert_before(part[0], node)
    ir.convenience.replace_all_uses_with(old, whole, replace_graph_outputs=True)
    name = old.name
    for gone in reversed(part):
        graph.remove(gone, safe=True)
    whole.name = name
    return made


def _place(graph: ir.Graph, node: ir.Node) -> None:
    """Copies of strips into the whole result, each behind what makes the strip, for a Concat."""
    (result,), axis = node.outputs, graph_facts.attribute(node, "axis", 0)
    extent, begin = (graph_facts.shape_of(result) or ())[axis], 0
    whole: ir.Value | None = None
    for strip in node.inputs:
        assert strip is not None
        producer = strip.producer()
        assert producer is not None
        rows = (graph_facts.shape_of(strip) or ())[axis]
        numbers = {"axis": axis, "begin": begin, "extent": extent}
        begin += rows
        new = ir.Value(name=f"{result.name}.{begin}", shape=result.shape, type=result.type)
        place = ir.Node(
            DOMAIN, "PlaceRows", [strip] if whole is None else [strip, whole],
            [ir.AttrInt64(name, number) for name, number in numbers.items()], outputs=[new],
            name=f"{new.name}.place", metadata_props=dict(node.metadata_props),
        )  # fmt: skip
        graph.insert_after(producer, place)
        whole = new
    assert whole is not None
    ir.convenience.replace_all_uses_with(result, whole, replace_graph_outputs=True)
    name = result.name
    graph.remove(node, safe=True)
    whole.name = name


class _Strip:
    """The nodes of a segment for one strip of its result.

    `before` is the strip whose rows are kept, where they are.
    """

    def __init__(
        self, graph: ir.Graph, part: list[ir.Node], layouts: dict[ir.Value, Layout], name: str,
        before: _Strip | None,
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
