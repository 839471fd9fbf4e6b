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

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.strip_scales import STRIP
from edgemoe.targets.mcu.image_rows import activations, is_conv, is_understood, layouts_of
from edgemoe.targets.mcu.one_strip import KEPT, Strip

JOINED = ".strips"
"""Behind the name of the Concat of all strips."""


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
    joined = next(node for node in graph if is_joined(node))
    for node in _strip_by_strip(joined):  # quantising has asked for what is read twice first
        graph.remove(node)
        graph.insert_before(joined, node)
    _place(graph, joined)
    numbers = {node: n for n, node in enumerate(graph)}
    for node in [n for n in graph if n.op_type == "Slice" and str(n.name).endswith(KEPT)]:
        (_, source), *_ = activations(node)
        before = [use.node for use in source.uses() if numbers[use.node] < numbers[node]]
        producer = source.producer()
        assert producer is not None
        graph.remove(node)
        graph.insert_after(max([producer, *before], key=numbers.__getitem__), node)


def _strip_by_strip(joined: ir.Node) -> list[ir.Node]:
    """The nodes of all strips, each behind what it reads and as late as may be."""
    found: dict[ir.Node, None] = {}
    todo = [(joined, False)]
    while todo:
        node, is_ready = todo.pop()
        if is_ready:
            found[node] = None
            continue
        if node in found or (node is not joined and STRIP not in str(node.name)):
            continue
        todo.append((node, True))
        before = [v.producer() for v in node.inputs if v is not None]
        todo += [(one, False) for one in reversed(before) if one is not None]
    del found[joined]
    return list(found)


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
    last: Strip | None = None
    for piece in range(pieces):
        span = (segment.rows * piece // pieces, segment.rows * (piece + 1) // pieces)
        strip = Strip(graph, part, layouts, f"{STRIP}{piece}", last)
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
