"""Recognises rotary embeddings: x * cos + turned(x) * sin, however the columns are moved about.

Su et al., "RoFormer", 2021, arXiv 2104.09864, section 3.4. Every column of the result is followed
up through slices, concatenations, negations and sums to the terms sign * x[column] * table[column]
it is made of. Halves (Llama, GPT-NeoX), pairs of neighbours (GPT-J), tables of full or half width
and heads of which only a part turns (GPT-NeoX) then differ in a few numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.strided_view import View, contiguous, steps_up

Partner = Literal["half", "pair"]


@dataclass(frozen=True)
class Rotary:
    """result[.., c] = x[.., c] * cos[.., t(c)] -+ x[.., partner(c)] * sin[.., t(c)] for c < turned.

    The partner is half of `turned` away (minus in the first half), or the neighbour (minus in even
    columns); t(c) is c, or one place for both partners where `narrow`. Other columns are copied.
    """

    x: View
    offset: int  # column of x where the result's first one is
    cos: ir.Value
    sin: ir.Value
    partner: Partner
    narrow: bool
    turned: int
    result: ir.Value


@dataclass(frozen=True)
class _Term:
    """sign * x[column] * table[place]; no table yet: the element as it is."""

    sign: int
    column: int
    table: ir.Value | None = None
    place: int = 0


_Columns = list[tuple[_Term, ...]]


def match(end: ir.Node) -> Rotary | None:
    """Read the rotary embedding whose result is the output of `end`."""
    result = end.outputs[0]
    shape = graph_facts.shape_of(result)
    if not graph_facts.is_op(end, "Add", "Concat") or shape is None or not 2 <= len(shape) <= 4:
        return None
    if result.dtype != ir.DataType.FLOAT or len(end.outputs) != 1:
        return None
    for x in _candidates(result):
        columns = _columns(result, x, 0)
        found = None if columns is None else _classify(columns)
        if found is not None:
            return _with_view(x, result, *found)
    return None


def _with_view(
    x: ir.Value, result: ir.Value, offset: int, cos: ir.Value, sin: ir.Value, partner: Partner,
    narrow: bool, turned: int,
) -> Rotary | None:  # fmt: skip
    shape = graph_facts.shape_of(result)
    whole = graph_facts.shape_of(x)
    if shape is None or whole is None or whole[:-1] != shape[:-1]:
        return None
    for table in (cos, sin):
        size = graph_facts.shape_of(table)
        if size is None or len(size) > len(shape) or table.dtype != ir.DataType.FLOAT:
            return None
    views = [
        view
        for view in steps_up(x)
        if len(view.dims) == len(shape) and view.stride(len(shape) - 1) == 1
        and all(view.stride(axis) is not None for axis in range(len(shape) - 1))
    ]  # fmt: skip
    return (
        None if not views else Rotary(views[-1], offset, cos, sin, partner, narrow, turned, result)
    )


def table_view(table: ir.Value, rank: int) -> View:
    """A table seen with `rank` dimensions; those along which it repeats have stride 0."""
    view = contiguous(table)
    return View(table, ((),) * (rank - len(view.dims)) + view.dims)


def _candidates(value: ir.Value) -> Iterator[ir.Value]:
    """What may be x: the roots that both products of a sum share."""
    node = value.producer()
    while node is not None and graph_facts.is_op(node, "Concat"):
        sums = [v.producer() for v in node.inputs if v is not None]
        node = next((n for n in sums if graph_facts.is_op(n, "Add", "Sub", "Concat")), None)
    if node is None or not graph_facts.is_op(node, "Add", "Sub"):
        return
    products = [graph_facts.made_by(v, "Mul") for v in node.inputs]
    if products[0] is None or products[1] is None:
        return
    roots = [[_root(v) for v in p.inputs if v is not None] for p in products if p is not None]
    yield from dict.fromkeys(root for root in roots[0] if root in roots[1])


def _root(value: ir.Value) -> ir.Value:
    """Follow what moves or negates columns."""
    while True:
        node = value.producer()
        if node is None or node.inputs[0] is None:
            return value
        if graph_facts.is_op(node, "Reshape") and _woven(node) is not None:
            parts = _woven(node)
            assert parts is not None
            value = parts[0]
        elif graph_facts.is_op(node, "Neg") or (
            graph_facts.is_op(node, "Slice", "Split", "Concat") and _last_axis(node)
        ):
            value = node.inputs[0]
        else:
            return value  # heads that are split off stay where they are


def _last_axis(node: ir.Node) -> bool:
    shape = graph_facts.shape_of(node.outputs[0])
    if shape is None:
        return False
    if node.op_type == "Slice":
        axes = _ints(node.inputs[3]) if len(node.inputs) > 3 else None
        return axes is not None and [axis % len(shape) for axis in axes] == [len(shape) - 1]
    return graph_facts.axis_of(node, 0, len(shape)) == len(shape) - 1


def _columns(value: ir.Value, x: ir.Value, depth: int) -> _Columns | None:
    """The terms of every column of `value`, None where it is made of anything else."""
    shape = graph_facts.shape_of(value)
    if shape is None or not shape or depth > 16:
        return None
    if value is x:
        return [(_Term(1, column),) for column in range(shape[-1])]
    node = value.producer()
    if node is None:
        return None
    if graph_facts.is_op(node, "Mul"):
        return _product(node, x, shape, depth)
    sources = node.inputs[:1]
    if graph_facts.is_op(node, "Add", "Sub", "Concat"):
        sources = node.inputs
    elif graph_facts.is_op(node, "Reshape"):
        sources = _woven(node) or ()
    elif not graph_facts.is_op(node, "Neg", "Slice", "Split"):
        return None
    parts = [None if v is None else _columns(v, x, depth + 1) for v in sources]
    if not parts or any(part is None for part in parts):
        return None
    return _moved(node, value, [part for part in parts if part is not None])


def _moved(node: ir.Node, value: ir.Value, parts: list[_Columns]) -> _Columns | None:
    first = parts[0]
    if node.op_type in ("Add", "Sub"):
        second = _negated(parts[1]) if node.op_type == "Sub" else parts[1]
        if len(first) != len(second):
            return None
        return [a + b for a, b in zip(first, second, strict=True)]
    if node.op_type == "Neg":
        return _negated(first)
    if node.op_type == "Reshape":
        return [terms for pair in zip(*parts, strict=True) for terms in pair]
    if node.op_type == "Concat":
        return [terms for part in parts for terms in part] if _last_axis(node) else None
    if node.op_type == "Split":
        if not _last_axis(node):
            return None
        widths = [(graph_facts.shape_of(o) or (0,))[-1] for o in node.outputs]
        start = sum(widths[: value.index() or 0])
        return first[start : start + widths[value.index() or 0]]
    return _sliced(node, first)


def _sliced(node: ir.Node, columns: _Columns) -> _Columns | None:
    shape = graph_facts.shape_of(node.inputs[0])
    numbers = [_ints(v) for v in node.inputs[1:]]
    if shape is None or len(numbers) < 3 or any(n is None or len(n) != 1 for n in numbers):
        return None
    start, end, axis, step = [n[0] for n in numbers if n is not None] + [1] * (4 - len(numbers))
    if axis % len(shape) != len(shape) - 1 or step < 1:
        return None
    return columns[slice(start, end, step)]


def _product(node: ir.Node, x: ir.Value, shape: tuple[int, ...], depth: int) -> _Columns | None:
    for number in (0, 1):
        value, table = node.inputs[number], node.inputs[1 - number]
        assert value is not None and table is not None
        columns = _columns(value, x, depth + 1)
        width = (graph_facts.shape_of(table) or (0,))[-1]
        if columns is None or width != shape[-1] or len(columns) != width:
            continue
        if any(len(terms) != 1 or terms[0].table is not None for terms in columns):
            continue
        return [
            (replace(terms[0], table=table, place=place),) for place, terms in enumerate(columns)
        ]
    return None


def _negated(columns: _Columns) -> _Columns:
    return [tuple(replace(term, sign=-term.sign) for term in terms) for terms in columns]


def _woven(node: ir.Node) -> tuple[ir.Value, ...] | None:
    """The two values whose columns a Reshape of [.., n, 2] to [.., 2 n] takes in turn.

    The axes before may be merged in between: rows keep their order.
    """
    shape = graph_facts.shape_of(node.outputs[0])
    stacked = graph_facts.made_by(node.inputs[0], "Concat")
    if shape is None or stacked is None or not _last_axis(stacked):
        return None
    inner = graph_facts.shape_of(stacked.outputs[0])
    if inner is None or inner[-2:] != (shape[-1] // 2, 2) or len(stacked.inputs) != 2:
        return None
    parts = []
    for value in stacked.inputs:
        above = graph_facts.made_by(value, "Unsqueeze", "Reshape")
        source = above.inputs[0] if above is not None else None
        own = graph_facts.shape_of(source)
        if source is None or own is None or own != (*shape[:-1], inner[-2]):
            return None
        parts.append(source)
    return tuple(parts)


def _ints(value: ir.Value | None) -> list[int] | None:
    """A small constant, of the graph or inside a function."""
    node = value.producer() if value is not None else None
    if node is not None and node.op_type == "Constant" and "value" in node.attributes:
        return [int(n) for n in np.asarray(node.attributes["value"].as_tensor()).reshape(-1)]
    return graph_facts.ints_of(value)


def _classify(
    columns: _Columns,
) -> tuple[int, ir.Value, ir.Value, Partner, bool, int] | None:
    """Offset, cosines, sines, and which of the known forms the columns have."""
    turned = next((c for c, terms in enumerate(columns) if len(terms) != 2), len(columns))
    if turned < 2 or turned % 2:
        return None
    offset = min(term.column for term in columns[0])
    own, other = columns[0]
    if own.column != offset:
        own, other = other, own
    cos, sin = own.table, other.table
    if cos is None or sin is None:
        return None
    partners: tuple[Partner, ...] = ("half", "pair")
    for partner in partners:
        for narrow in (False, True):
            wanted = _wanted(len(columns), turned, offset, cos, sin, partner, narrow)
            if all(set(a) == set(b) for a, b in zip(columns, wanted, strict=True)):
                return offset, cos, sin, partner, narrow, turned
    return None


def _wanted(
    width: int, turned: int, offset: int, cos: ir.Value, sin: ir.Value, partner: Partner,
    narrow: bool,
) -> _Columns:  # fmt: skip
    """The terms of every column in one of the known forms: the definition of `Rotary`."""
    half = turned // 2
    columns: _Columns = []
    for c in range(width):
        if c >= turned:
            columns.append((_Term(1, offset + c),))
            continue
        if partner == "half":
            other, sign, place = (c + half) % turned, -1 if c < half else 1, c % half
        else:
            other, sign, place = c ^ 1, -1 if c % 2 == 0 else 1, c // 2
        at = place if narrow else c
        columns.append((_Term(1, offset + c, cos, at), _Term(sign, offset + other, sin, at)))
    return columns
